//! The targets that one cluster adds to a group, and how they are spoken to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::num::NonZeroU16;

use federation_model::cluster::MAX_GATEWAYS;
use federation_model::data_plane::{ExpectedPeer, ServicePortId, Target, Via};
use federation_model::endpoint::MAX_ENDPOINTS;
use federation_model::{Cluster, Export, MtlsMode, SpiffeId, TrustDomain};

use super::accepted::Surroundings;
use crate::local::LocalExport;

/// Weight of one ready endpoint before the weights of a group are reduced: enough to split it between gateways.
const ENDPOINT_WEIGHT: u64 = 1_000;

/// Ready endpoints of this cluster, of equal weight. Where the pods' own proxies end mTLS they do so for local
/// callers too: a plain connection would be refused by the very pods that can serve it.
pub(super) fn local(own: &LocalExport, port: NonZeroU16, surroundings: &Surroundings) -> Vec<Target> {
    let ready: BTreeSet<SocketAddr> =
        own.backends.iter().filter(|b| b.ready && b.port == port).map(|b| b.address).collect();
    let via = match &own.export.mtls {
        MtlsMode::Gateway => Some(Via::Plain),
        MtlsMode::EndToEnd { .. } => mtls(&own.export, port, &surroundings.trust_domain),
    };
    let Some(via) = via else { return Vec::new() };
    let target =
        |address| Target { address, weight: 1, cluster: surroundings.cluster.clone(), via: via.clone() };
    ready.into_iter().map(target).collect()
}

/// The gateways of another cluster, which share its readiness by their weights. A cluster without ready endpoints
/// adds none: by its own word its gateways would refuse.
pub(super) fn remote(export: &Export, port: NonZeroU16, cluster: &Cluster) -> Vec<Target> {
    let ready = u64::from(export.ready()).min(MAX_ENDPOINTS as u64);
    let Some(via) = mtls(export, port, &cluster.trust_domain).filter(|_| ready > 0) else {
        return Vec::new();
    };
    // Each address once: a proxy takes a second mention for a second host.
    let mut gateways: BTreeMap<SocketAddr, u64> = BTreeMap::new();
    for gateway in cluster.gateways.iter().take(MAX_GATEWAYS) {
        let weight = gateways.entry(gateway.address).or_default();
        *weight = weight.saturating_add(u64::from(gateway.weight.max(1)));
    }
    let all = gateways.values().fold(0u64, |sum, weight| sum.saturating_add(*weight)).max(1);
    let target = |(address, weight): (SocketAddr, u64)| {
        let share = (ready * ENDPOINT_WEIGHT).saturating_mul(weight) / all;
        Target {
            address,
            weight: u32::try_from(share).unwrap_or(u32::MAX).max(1),
            cluster: cluster.id.clone(),
            via: via.clone(),
        }
    };
    gateways.into_iter().map(target).collect()
}

/// Divides the weights of a group by what they have in common.
pub(super) fn reduce_weights(targets: &mut [Target]) {
    let common = targets.iter().fold(0, |common, target| gcd(common, target.weight)).max(1);
    for target in targets {
        target.weight = (target.weight / common).max(1);
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Who answers is the exporter's gateway, or behind it the workload itself.
fn mtls(export: &Export, port: NonZeroU16, domain: &TrustDomain) -> Option<Via> {
    let expect = match &export.mtls {
        MtlsMode::Gateway => ExpectedPeer::OneOf(BTreeSet::from([gateway_id(domain)?])),
        MtlsMode::EndToEnd { identities } if identities.is_empty() => {
            ExpectedPeer::AnyOfNamespace(export.service.namespace.clone())
        }
        MtlsMode::EndToEnd { identities } => ExpectedPeer::OneOf(identities.clone()),
    };
    let sni = ServicePortId { service: export.service.clone(), port }.sni();
    Some(Via::Mtls { sni, trust_domain: domain.clone(), expect })
}

/// The identity of the gateways of a domain. Always a valid id, since the path is and every domain is short enough.
fn gateway_id(domain: &TrustDomain) -> Option<SpiffeId> {
    format!("spiffe://{domain}/isthmus/gateway").parse().ok()
}
