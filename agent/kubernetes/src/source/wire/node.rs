//! Nodes: where a Service of type NodePort is reached.

use std::net::IpAddr;

use federation_model::Zone;
use serde::Deserialize;

use super::{Meta, Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};

const ZONE: &str = "topology.kubernetes.io/zone";
/// Set by people and by autoscalers (KEP-1143).
const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// A node, as others reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeItem {
    pub(crate) name: String,
    /// Ready, not on its way out, and not kept from load balancers.
    pub(crate) usable: bool,
    /// `InternalIP`s.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) zone: Option<Zone>,
}

#[derive(Debug, Deserialize)]
struct Document {
    metadata: Meta,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
struct Status {
    #[serde(default)]
    addresses: Vec<Address>,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Wire for NodeItem {
    const KIND: Kind = Kind::Nodes;

    fn read(json: &str) -> Result<Self, String> {
        let Document { metadata, status } = typed(json)?;
        let ready = status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True");
        let excluded = metadata.label(EXCLUDED).is_some();
        let internal = status.addresses.iter().filter(|address| address.kind == "InternalIP");
        Ok(Self {
            usable: ready && !excluded && metadata.deletion_timestamp.is_none(),
            addresses: internal.filter_map(|address| address.address.parse().ok()).collect(),
            zone: metadata.label(ZONE).and_then(|zone| zone.parse().ok()),
            name: metadata.name,
        })
    }

    fn update(change: Change<Self>) -> Update {
        Update::Nodes(change)
    }
}
