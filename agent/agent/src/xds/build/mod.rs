//! From the plan's gateway configuration to the resources of one node. Pure.
//!
//! Reading order: [`tls`] (how peers are believed) → [`cluster`] and [`endpoint`] → [`route`] → [`listener`] and
//! [`inbound`] → [`secret`].

pub mod cluster;
pub mod endpoint;
pub mod inbound;
pub mod listener;
mod parts;
pub mod route;
pub mod secret;
pub mod tls;

use std::collections::BTreeMap;

use federation_model::data_plane::GatewayConfig;
use federation_trust::Identity;

use super::node::NodeInfo;
use super::resource::{Resource, ResourceType, Snapshot};

/// All resources of a node.
pub fn snapshot(
    sequence: u64,
    config: &GatewayConfig,
    node: &NodeInfo,
    identity: Option<&Identity>,
) -> Snapshot {
    let mut clusters = BTreeMap::new();
    let mut endpoints = BTreeMap::new();
    for (id, outbound) in &config.egress {
        let name = id.envoy_cluster();
        clusters.insert(name.clone(), Resource::new(&cluster::outbound(id, outbound)));
        endpoints.insert(name, Resource::new(&endpoint::assignment(id, outbound)));
    }
    let mut listeners = BTreeMap::new();
    let mut routes = BTreeMap::new();
    if let Some(address) = node.meta.outbound {
        listeners
            .insert(listener::OUTBOUND_HTTP.to_owned(), Resource::new(&listener::outbound_http(address)));
        routes.insert(listener::OUTBOUND_HTTP.to_owned(), Resource::new(&route::outbound_http(config)));
    }
    for made in listener::tcp(config, node.meta.bind_vips) {
        listeners.insert(made.name.clone(), Resource::new(&made));
    }
    for wanted in &node.meta.inbound {
        let made = inbound::listener(config, wanted);
        listeners.insert(made.name.clone(), Resource::new(&made));
        let made = inbound::cluster(wanted);
        clusters.insert(made.name.clone(), Resource::new(&made));
    }
    let secrets = secret::all(config, identity).into_iter();
    let secrets = secrets.map(|secret| (secret.name.clone(), Resource::new(&secret))).collect();
    Snapshot::new(
        sequence,
        [
            (ResourceType::Cluster, clusters),
            (ResourceType::Endpoint, endpoints),
            (ResourceType::Listener, listeners),
            (ResourceType::Route, routes),
            (ResourceType::Secret, secrets),
        ],
    )
}

#[cfg(test)]
mod tests;
