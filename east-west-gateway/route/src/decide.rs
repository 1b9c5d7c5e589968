//! What happens to a connection: first by its hello alone, then by who the caller proved to be.
//!
//! Before the client has proved who it is, nothing that it observes may depend on what exists here, except the names
//! of end-to-end services, whose own proxies answer for them. So [`decide`] never refuses openly: the gateway turns
//! `Terminate` and `Refuse` into the same handshake, and says no at the same place of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use federation_model::data_plane::{GatewayConfig, IngressRoute, ServicePortId};
use federation_model::export::ExportScope;
use federation_model::ids::ClusterId;
use federation_model::spiffe_id::SpiffeId;

use crate::client_hello::{ClientHello, Newest};
use crate::refusal::RefusalReason;
use crate::sni;

/// The protocols that mesh clients offer to a gateway, as Istio's gateways accept them
/// (`allIstioMtlsALPNs`), the gateway's preference first.
pub const MESH_ALPN: [&str; 5] =
    ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];

/// The path of a gateway's own identity in its trust domain.
const GATEWAY_PATH: &str = "/isthmus/gateway";

/// What to do with a connection, by its hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<'a> {
    /// Relay the bytes untouched: the endpoint itself ends the TLS and judges the caller.
    Relay {
        /// What is called.
        target: ServicePortId,
        /// Ready endpoints; may be empty.
        endpoints: &'a BTreeSet<SocketAddr>,
    },
    /// End the TLS here, and ask [`authorize`] once the caller is known.
    Terminate {
        /// What is called.
        target: ServicePortId,
    },
    /// End the TLS here, and then refuse whoever it is.
    Refuse(RefusalReason),
}

/// A call that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// Whose the caller is.
    pub cluster: &'a ClusterId,
    /// Ready endpoints; may be empty.
    pub endpoints: &'a BTreeSet<SocketAddr>,
}

/// Judges a hello.
pub fn decide<'a>(config: &'a GatewayConfig, hello: &ClientHello) -> Decision<'a> {
    match named_route(config, hello) {
        Err(reason) => Decision::Refuse(reason),
        Ok((target, route)) if route.end_to_end => Decision::Relay { target, endpoints: &route.endpoints },
        Ok((target, _)) => Decision::Terminate { target },
    }
}

fn named_route<'a>(
    config: &'a GatewayConfig,
    hello: &ClientHello,
) -> Result<(ServicePortId, &'a IngressRoute), RefusalReason> {
    if hello.newest == Newest::Unsupported {
        return Err(RefusalReason::OldVersion);
    }
    let name = hello.server_name.as_deref().ok_or(RefusalReason::NoSni)?;
    if !offers_mesh_alpn(hello) {
        return Err(RefusalReason::WrongAlpn);
    }
    let target = sni::parse(name)?;
    let route = config.ingress.get(&target).ok_or(RefusalReason::UnknownName)?;
    if route.end_to_end && !reachable_from_outside(config, route) {
        return Err(RefusalReason::NotExportedToCaller);
    }
    Ok((target, route))
}

/// Whether one of the offered protocols is one that a gateway accepts.
pub fn offers_mesh_alpn(hello: &ClientHello) -> bool {
    hello.alpn.iter().any(|offered| MESH_ALPN.iter().any(|known| known.as_bytes() == &**offered))
}

/// Judges a caller whose certificate has been verified against the bundle of its own trust domain: the domain names
/// the cluster, and the export's scope names the clusters.
///
/// Errors: the reasons [`RefusalReason::UnknownCallerDomain`], [`RefusalReason::NotAWorkload`],
/// [`RefusalReason::UnknownName`] and [`RefusalReason::NotExportedToCaller`], all of them hidden ones.
pub fn authorize<'a>(
    config: &'a GatewayConfig,
    target: &ServicePortId,
    caller: &SpiffeId,
) -> Result<Route<'a>, RefusalReason> {
    let cluster =
        config.cluster_domains.get(caller.trust_domain()).ok_or(RefusalReason::UnknownCallerDomain)?;
    if caller.namespace().is_none() && caller.path() != GATEWAY_PATH {
        return Err(RefusalReason::NotAWorkload);
    }
    let route = config.ingress.get(target).ok_or(RefusalReason::UnknownName)?;
    let allowed = match &route.scope {
        ExportScope::All => true,
        ExportScope::Clusters(named) => cluster == &config.cluster || named.contains(cluster),
    };
    if allowed {
        Ok(Route { cluster, endpoints: &route.endpoints })
    } else {
        Err(RefusalReason::NotExportedToCaller)
    }
}

/// Whether a relayed connection to `target` may go on: the name is still an end-to-end one that somebody may reach.
pub fn still_relayed(config: &GatewayConfig, target: &ServicePortId) -> Result<(), RefusalReason> {
    match config.ingress.get(target) {
        None => Err(RefusalReason::UnknownName),
        Some(route) if route.end_to_end && reachable_from_outside(config, route) => Ok(()),
        Some(_) => Err(RefusalReason::NotExportedToCaller),
    }
}

fn reachable_from_outside(config: &GatewayConfig, route: &IngressRoute) -> bool {
    match &route.scope {
        ExportScope::All => true,
        ExportScope::Clusters(named) => named.iter().any(|cluster| cluster != &config.cluster),
    }
}

#[cfg(test)]
mod tests;
