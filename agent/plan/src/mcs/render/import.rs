//! ServiceImports.

use std::collections::BTreeSet;

use federation_model::export::{InternalTrafficPolicy, SessionAffinity};
use federation_model::{ExportKind, ServiceId, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{conditions, hash, mcs_version, named, object, put};
use crate::mcs::content::{ImportContent, ImportStatus};
use crate::mcs::names::{MANAGED_BY, OURS};
use crate::mcs::observed::{Held, HeldImport, ImportField, McsVersion};

/// The hash that the annotation `isthmus.dev/content` has after this was applied.
pub fn import_hash(content: &ImportContent) -> String {
    hash::hash(&said(content))
}

pub(super) fn body(
    version: McsVersion,
    id: &ServiceId,
    content: &ImportContent,
    held: Option<&Held<HeldImport>>,
    lacks: &BTreeSet<ImportField>,
) -> Value {
    let name = named(id.name.as_str(), Some(id.namespace.as_str()));
    let mut body = object(&mcs_version(version), "ServiceImport", said(content), name);
    if let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut) {
        for field in lacks {
            spec.remove(field.as_str());
        }
        if content.traffic_distribution.is_none() && held.is_some_and(|held| set_by_others(content, held)) {
            spec.insert(ImportField::TrafficDistribution.as_str().to_owned(), "".into());
        }
    }
    body
}

/// Whether somebody else gave it a traffic distribution: to leave the field out would not take that away.
fn set_by_others(content: &ImportContent, held: &Held<HeldImport>) -> bool {
    let spec = held.content.as_ref().and_then(|import| import.spec.as_ref());
    spec.is_some_and(|spec| spec.traffic_distribution.is_some())
        && held.applied.as_deref() == Some(import_hash(content).as_str())
}

/// What we say, apart from what it is called.
fn said(content: &ImportContent) -> Value {
    let mut labels = json!(content.labels);
    put(&mut labels, MANAGED_BY, Some(OURS));
    let (affinity, timeout) = match content.session_affinity {
        SessionAffinity::None => ("None", None),
        SessionAffinity::ClientIp { timeout_seconds } => ("ClientIP", Some(timeout_seconds)),
    };
    let mut spec = json!({
        "type": match content.kind {
            ExportKind::ClusterSetIp => "ClusterSetIP",
            ExportKind::Headless => "Headless",
        },
        "ports": content.ports.iter().map(port).collect::<Vec<_>>(),
        "sessionAffinity": affinity,
        "internalTrafficPolicy": match content.internal_traffic_policy {
            InternalTrafficPolicy::Cluster => "Cluster",
            InternalTrafficPolicy::Local => "Local",
        },
    });
    let timeout = timeout.map(|seconds| json!({ "clientIP": { "timeoutSeconds": seconds } }));
    put(&mut spec, "sessionAffinityConfig", timeout);
    let families: Vec<&str> = content.families.iter().map(|family| family.as_str()).collect();
    put(&mut spec, "ipFamilies", Some(families).filter(|families| !families.is_empty()));
    let ips: Vec<String> = content.ips.iter().map(ToString::to_string).collect();
    put(&mut spec, "ips", Some(ips).filter(|ips| !ips.is_empty()));
    put(&mut spec, "trafficDistribution", content.traffic_distribution.clone());
    json!({ "metadata": { "labels": labels, "annotations": content.annotations }, "spec": spec })
}

/// A port of a ServiceImport, a Service or a slice.
pub(super) fn port(port: &ServicePort) -> Value {
    let mut body = json!({ "port": port.port, "protocol": port.protocol.as_str() });
    put(&mut body, "name", port.name.as_ref().map(|name| name.as_str()));
    put(&mut body, "appProtocol", port.app_protocol.clone());
    body
}

pub(super) fn status(
    version: McsVersion,
    id: &ServiceId,
    status: &ImportStatus,
    held: Option<&Held<HeldImport>>,
    now: &Time,
) -> Value {
    let before = held.and_then(|held| held.content.as_ref()?.status.as_ref());
    let before = before.and_then(|before| Some((before.status.ready.status, before.since.as_ref()?)));
    let generation = held.map(|held| held.generation).unwrap_or_default();
    let mut body = json!({
        "clusters": status.clusters.iter().map(|id| json!({ "cluster": id.as_str() })).collect::<Vec<_>>(),
        "conditions": [conditions::condition(&status.ready, generation, before, now)],
    });
    let slices = status.slices_present.map(|present| if present { "Present" } else { "Absent" });
    put(&mut body, "endpointSliceObjects", slices);
    json!({
        "apiVersion": mcs_version(version),
        "kind": "ServiceImport",
        "metadata": named(id.name.as_str(), Some(id.namespace.as_str())),
        "status": body,
    })
}
