//! EndpointSlices.

use serde_json::{Value, json};

use super::{named, object, owner_references, put};
use crate::mcs::action::Owner;
use crate::mcs::content::{SliceContent, SliceEndpoint, SlicePort, SliceRole};
use crate::mcs::names::{MCS_SERVICE_NAME, MCS_SOURCE_CLUSTER, SERVICE_NAME, SLICE_MANAGED_BY, SLICE_OURS};
use crate::mcs::observed::{McsVersion, ObjectName};

pub(super) fn body(version: McsVersion, name: &ObjectName, owner: &Owner, content: &SliceContent) -> Value {
    let metadata = named(&name.name, Some(name.namespace.as_str()));
    let mut body = object("discovery.k8s.io/v1", "EndpointSlice", said(content), metadata);
    if let Some(metadata) = body.get_mut("metadata") {
        put(metadata, "ownerReferences", Some(owner_references(version, owner)));
    }
    body
}

fn said(content: &SliceContent) -> Value {
    let labels = match &content.role {
        SliceRole::Derived { service } => json!({ SLICE_MANAGED_BY: SLICE_OURS, SERVICE_NAME: service }),
        SliceRole::Mcs { service, source } => json!({
            SLICE_MANAGED_BY: SLICE_OURS,
            MCS_SERVICE_NAME: service.name.as_str(),
            MCS_SOURCE_CLUSTER: source.as_str(),
        }),
    };
    json!({
        "metadata": { "labels": labels },
        "addressType": content.family.as_str(),
        "ports": content.ports.iter().map(port).collect::<Vec<_>>(),
        "endpoints": content.endpoints.iter().map(endpoint).collect::<Vec<_>>(),
    })
}

fn port(port: &SlicePort) -> Value {
    let name = port.name.as_ref().map(|name| name.as_str()).unwrap_or_default();
    let mut body = json!({ "name": name, "port": port.port, "protocol": port.protocol.as_str() });
    put(&mut body, "appProtocol", port.app_protocol.clone());
    body
}

fn endpoint(endpoint: &SliceEndpoint) -> Value {
    let mut body = json!({
        "addresses": [endpoint.address.to_string()],
        "conditions": { "ready": endpoint.ready },
    });
    put(&mut body, "hostname", endpoint.hostname.clone());
    put(&mut body, "zone", endpoint.zone.as_ref().map(|zone| zone.as_str()));
    body
}
