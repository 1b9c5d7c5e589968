//! From the plan's gateway configuration to the resources of one node. Pure.
//!
//! Reading order: [`tls`] (how peers are believed) → [`cluster`] and [`endpoint`] → [`route`] → [`listener`] and
//! [`inbound`] → [`secret`] → [`SharedBuilder`] (what is not made again).

pub mod cluster;
pub mod endpoint;
pub mod inbound;
pub mod listener;
mod parts;
pub mod route;
pub mod secret;
mod shared;
pub mod tls;

use federation_model::data_plane::GatewayConfig;
use federation_trust::Identity;

pub use shared::{Shared, SharedBuilder};

use super::node::NodeInfo;
use super::resource::{ByName, Resource, ResourceType, Resources, Snapshot};

/// All resources of a node: those that are `shared`, which were made from `config`, and its own.
pub fn snapshot(
    sequence: u64,
    config: &GatewayConfig,
    shared: &Shared,
    node: &NodeInfo,
    identity: Option<&Identity>,
) -> Snapshot {
    let mut clusters = ByName::new();
    let mut listeners = ByName::new();
    for wanted in &node.meta.inbound {
        let made = inbound::listener(config, wanted);
        listeners.insert(made.name.clone(), Resource::new(&made));
        let made = inbound::cluster(wanted);
        clusters.insert(made.name.clone(), Resource::new(&made));
    }
    let mut routes = Resources::shared(ByName::new());
    if let Some(address) = node.meta.outbound {
        listeners
            .insert(listener::OUTBOUND_HTTP.to_owned(), Resource::new(&listener::outbound_http(address)));
        routes = shared.routes.clone();
    }
    let identity = identity.map(secret::certificates).unwrap_or_default();
    let identity = identity.into_iter().map(|secret| (secret.name.clone(), Resource::new(&secret)));
    let types = [
        (ResourceType::Cluster, shared.clusters.with(clusters)),
        (ResourceType::Endpoint, shared.endpoints.clone()),
        (ResourceType::Listener, shared.listeners(node.meta.bind_vips).with(listeners)),
        (ResourceType::Route, routes),
        (ResourceType::Secret, shared.validators.with(identity.collect())),
    ];
    Snapshot::new(sequence, types)
}

#[cfg(test)]
mod tests;
