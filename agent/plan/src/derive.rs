//! From a cluster's own objects to what it offers: one [`LocalExport`] or one reason for each ServiceExport.
//!
//! Every ServiceExport is judged by itself: a mistake in one, in its Service or in its slices, never reaches another.

mod annotations;
mod behaviour;
mod deriver;
mod endpoints;
mod ports;

use std::sync::Arc;

use federation_model::export::MAX_METADATA;
use federation_model::{ClusterId, Export, ExportKind, Generation, ServiceId, TrustDomain, UnixMillis, Zone};
use k8s_openapi::api::core::v1::ServiceSpec;

pub use deriver::Deriver;

use self::deriver::Given;
use crate::local::{InvalidExport, LocalExport, LocalView};
use crate::objects::LocalObjects;

/// Most bytes of all exported labels of a service, keys and values; the same again for annotations.
pub const MAX_METADATA_BYTES: usize = 64 * 1024;

/// What must be known of the cluster itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// Its id.
    pub cluster: ClusterId,
    /// The domain of its workloads' identities.
    pub trust_domain: TrustDomain,
    /// The zone of endpoints that name none, where the cluster stands in just one.
    pub zone: Option<Zone>,
}

/// Judges every ServiceExport. Whoever does so again and again keeps a [`Deriver`].
pub fn derive(objects: &LocalObjects, facts: &ClusterFacts) -> LocalView {
    Deriver::new(facts.clone()).derive(objects)
}

fn derive_one(id: &ServiceId, given: &Given, facts: &ClusterFacts) -> Result<LocalExport, InvalidExport> {
    let Given { asked, namespace_exists, service, slices } = given;
    if !namespace_exists {
        let problem = format!("there is no Namespace {}", id.namespace);
        return Err(field("metadata.namespace", problem));
    }
    let service = service.as_ref().ok_or(InvalidExport::NoService)?;
    let default_spec = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&default_spec);
    let kind = kind(spec)?;
    let ports = ports::ports(spec, kind)?;
    let ours = annotations::read(&asked.annotations, facts)?;
    check_metadata("spec.exportedLabels", &asked.exported_labels)?;
    check_metadata("spec.exportedAnnotations", &asked.exported_annotations)?;
    let served = endpoints::read(slices.as_deref(), &ports, facts.zone.as_ref())?;
    let export = Export {
        cluster: facts.cluster.clone(),
        service: id.clone(),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind,
        ports,
        session_affinity: behaviour::session_affinity(spec)?,
        internal_traffic_policy: behaviour::internal_traffic_policy(spec)?,
        traffic_distribution: behaviour::traffic_distribution(spec)?,
        ip_families: behaviour::ip_families(spec)?,
        labels: asked.exported_labels.clone(),
        annotations: asked.exported_annotations.clone(),
        scope: ours.scope,
        mtls: ours.mtls,
        localities: served.localities,
        endpoints: match kind {
            ExportKind::Headless => served.endpoints,
            ExportKind::ClusterSetIp => Vec::new(),
        },
    };
    Ok(LocalExport { export: Arc::new(export), backends: served.backends })
}

/// ClusterIP, NodePort and LoadBalancer differ only in how they are reached from outside Kubernetes.
fn kind(spec: &ServiceSpec) -> Result<ExportKind, InvalidExport> {
    match spec.type_.as_deref() {
        None | Some("" | "ClusterIP" | "NodePort" | "LoadBalancer") => {}
        Some("ExternalName") => return Err(InvalidExport::InvalidServiceType),
        Some(other) => {
            let problem = format!("{:?} is not a type of Service", shortened(other));
            return Err(field("spec.type", problem));
        }
    }
    let none = |address: Option<&String>| address.is_some_and(|a| a == "None");
    let headless =
        none(spec.cluster_ip.as_ref()) || none(spec.cluster_ips.as_deref().unwrap_or_default().first());
    Ok(if headless { ExportKind::Headless } else { ExportKind::ClusterSetIp })
}

fn check_metadata(path: &str, map: &std::collections::BTreeMap<String, String>) -> Result<(), InvalidExport> {
    if map.len() > MAX_METADATA {
        return Err(field(path, format!("{} entries, at most {MAX_METADATA} are allowed", map.len())));
    }
    let bytes: usize = map.iter().map(|(key, value)| key.len().saturating_add(value.len())).sum();
    if bytes > MAX_METADATA_BYTES {
        return Err(field(path, format!("{bytes} bytes in all, at most {MAX_METADATA_BYTES} are allowed")));
    }
    Ok(())
}

fn field(path: impl Into<String>, problem: impl ToString) -> InvalidExport {
    InvalidExport::Field { field: path.into(), problem: problem.to_string() }
}

/// At most 64 characters of a text that goes into a message.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests;
