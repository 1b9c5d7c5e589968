//! ServiceImports.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::export::{InternalTrafficPolicy, Protocol, SessionAffinity};
use federation_model::{ExportKind, IpFamily, ServiceId, ServicePort};

use super::{conditions, meta};
use crate::mcs::content::{ConditionKind, ImportContent, ImportStatus};
use crate::mcs::crd::{self, ServiceImport};
use crate::mcs::metadata;
use crate::mcs::names::{MANAGED_BY, OURS};
use crate::mcs::observed::{Held, HeldImport, HeldStatus};

/// A ServiceImport, whoever made it.
pub fn import(object: &ServiceImport) -> Option<(ServiceId, Arc<Held<HeldImport>>)> {
    let id = meta::service_id(&object.metadata)?;
    let content = HeldImport {
        spec: object.spec.known().and_then(|spec| content(object, spec)),
        status: object.status.known().and_then(status),
    };
    Some((id, meta::held(&object.metadata, (MANAGED_BY, OURS), Some(content))))
}

fn content(object: &ServiceImport, spec: &crd::ServiceImportSpec) -> Option<ImportContent> {
    let theirs = |map: &Option<std::collections::BTreeMap<String, String>>| {
        let kept = map.iter().flatten().filter(|(key, _)| !metadata::reserved(key));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    Some(ImportContent {
        kind: match spec.type_.as_str() {
            "ClusterSetIP" => ExportKind::ClusterSetIp,
            "Headless" => ExportKind::Headless,
            _ => return None,
        },
        ports: spec.ports.iter().flatten().map(port).collect::<Option<_>>()?,
        families: spec.ip_families.iter().flatten().map(|text| family(text)).collect::<Option<_>>()?,
        ips: spec.ips.iter().flatten().map(|text| text.parse().ok()).collect::<Option<_>>()?,
        session_affinity: session_affinity(spec)?,
        internal_traffic_policy: match spec.internal_traffic_policy.as_deref().unwrap_or("Cluster") {
            "Cluster" => InternalTrafficPolicy::Cluster,
            "Local" => InternalTrafficPolicy::Local,
            _ => return None,
        },
        traffic_distribution: spec.traffic_distribution.clone().filter(|text| !text.is_empty()),
        labels: theirs(&object.metadata.labels),
        annotations: theirs(&object.metadata.annotations),
    })
}

fn port(given: &crd::ServicePort) -> Option<ServicePort> {
    Some(ServicePort {
        name: given.name.as_deref().map(str::parse).transpose().ok()?,
        protocol: protocol(given.protocol.as_deref())?,
        app_protocol: given.app_protocol.clone(),
        port: u16::try_from(given.port).ok().and_then(NonZeroU16::new)?,
    })
}

/// We always write a protocol.
pub(super) fn protocol(text: Option<&str>) -> Option<Protocol> {
    match text? {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "SCTP" => Some(Protocol::Sctp),
        _ => None,
    }
}

pub(super) fn family(text: &str) -> Option<IpFamily> {
    match text {
        "IPv4" => Some(IpFamily::IPv4),
        "IPv6" => Some(IpFamily::IPv6),
        _ => None,
    }
}

fn session_affinity(spec: &crd::ServiceImportSpec) -> Option<SessionAffinity> {
    match spec.session_affinity.as_deref()? {
        "None" => Some(SessionAffinity::None),
        "ClientIP" => {
            let config = spec.session_affinity_config.as_ref()?.client_ip.as_ref()?;
            let timeout_seconds = u32::try_from(config.timeout_seconds?).ok()?;
            Some(SessionAffinity::ClientIp { timeout_seconds })
        }
        _ => None,
    }
}

fn status(given: &crd::ServiceImportStatus) -> Option<HeldStatus> {
    let ready = conditions::conditions(given.conditions.as_ref(), &[ConditionKind::Ready]).pop()?;
    let clusters = given.clusters.iter().flatten().map(|c| c.cluster.parse().ok());
    Some(HeldStatus {
        status: ImportStatus {
            clusters: clusters.collect::<Option<BTreeSet<_>>>()?,
            ready: ready.condition,
            slices_present: match given.endpoint_slice_objects.as_deref() {
                None => None,
                Some("Present") => Some(true),
                Some(_) => Some(false),
            },
        },
        since: ready.since,
        observed_generation: ready.observed_generation,
    })
}
