//! Derived Services.

use serde_json::{Value, json};

use super::{hash, import, named, object, owner_references, put};
use crate::mcs::action::Owner;
use crate::mcs::content::DerivedContent;
use crate::mcs::names::{MANAGED_BY, MCS_SERVICE_NAME, OURS, VIP_CLASS};
use crate::mcs::observed::{McsVersion, ObjectName};

/// The hash that the annotation `isthmus.dev/content` has after this was applied.
pub fn derived_hash(content: &DerivedContent) -> String {
    hash::hash(&said(content))
}

pub(super) fn body(version: McsVersion, name: &ObjectName, owner: &Owner, content: &DerivedContent) -> Value {
    let metadata = named(&name.name, Some(name.namespace.as_str()));
    let mut body = object("v1", "Service", said(content), metadata);
    if let Some(metadata) = body.get_mut("metadata") {
        put(metadata, "ownerReferences", Some(owner_references(version, owner)));
    }
    body
}

/// Families are left to the cluster: one that has not both would refuse to be asked for both, and kube-proxy takes each
/// VIP for the family that it is of.
fn said(content: &DerivedContent) -> Value {
    json!({
        "metadata": {
            "labels": { MANAGED_BY: OURS, MCS_SERVICE_NAME: content.import.name.as_str() },
        },
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": VIP_CLASS,
            "allocateLoadBalancerNodePorts": false,
            "ipFamilyPolicy": "PreferDualStack",
            "ports": content.ports.iter().map(import::port).collect::<Vec<_>>(),
        },
    })
}

pub(super) fn status(name: &ObjectName, content: &DerivedContent) -> Value {
    let ingress = content.vips.iter().map(|vip| json!({ "ip": vip.to_string(), "ipMode": "VIP" }));
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": named(&name.name, Some(name.namespace.as_str())),
        "status": { "loadBalancer": { "ingress": ingress.collect::<Vec<_>>() } },
    })
}
