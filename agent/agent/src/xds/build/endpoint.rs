//! EDS: the targets of one imported port, by priority.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3::{Locality, Metadata};
use envoy_types::pb::envoy::config::endpoint::v3 as eds;
use federation_model::ClusterId;
use federation_model::data_plane::{OutboundPort, ServicePortId, Target, TargetGroup};

use super::parts::{address, number, single};
use super::tls::{self, Mtls};

/// Largest weight of one endpoint. Envoy refuses an assignment whose weights overflow 32 bits.
const MAX_WEIGHT: u32 = 1 << 20;

/// The load assignment. A group is a priority; priorities have no gaps (Envoy refuses them). An address appears once:
/// Envoy keeps the first and would lose the weight of the others.
pub fn assignment(id: &ServicePortId, port: &OutboundPort) -> eds::ClusterLoadAssignment {
    let modes = tls::modes(port);
    let mut seen = BTreeSet::new();
    let groups =
        port.groups.iter().map(|group| by_cluster(group, &mut seen)).filter(|group| !group.is_empty());
    let endpoints = groups
        .zip(0..)
        .flat_map(|(group, priority)| {
            let modes = &modes;
            group.into_iter().map(move |(cluster, targets)| locality(modes, cluster, targets, priority))
        })
        .collect();
    eds::ClusterLoadAssignment { cluster_name: id.envoy_cluster(), endpoints, ..Default::default() }
}

type Weighted<'a> = BTreeMap<SocketAddr, (&'a Target, u32)>;

/// The targets of a group that no earlier group has, with the weights of equal addresses added up.
fn by_cluster<'a>(
    group: &'a TargetGroup,
    seen: &mut BTreeSet<SocketAddr>,
) -> BTreeMap<&'a ClusterId, Weighted<'a>> {
    let mut all: Weighted<'a> = BTreeMap::new();
    for target in group.targets.iter().filter(|target| !seen.contains(&target.address)) {
        let (_, weight) = all.entry(target.address).or_insert((target, 0));
        *weight = weight.saturating_add(target.weight).clamp(1, MAX_WEIGHT);
    }
    seen.extend(all.keys());
    let mut clusters: BTreeMap<&ClusterId, Weighted<'a>> = BTreeMap::new();
    for (address, (target, weight)) in all {
        clusters.entry(&target.cluster).or_default().insert(address, (target, weight));
    }
    clusters
}

/// The zone of a locality is the cluster, so that statistics by zone tell clusters apart.
fn locality(
    modes: &BTreeMap<String, Mtls<'_>>,
    cluster: &ClusterId,
    targets: Weighted<'_>,
    priority: u32,
) -> eds::LocalityLbEndpoints {
    let endpoint = |(at, (target, weight)): (SocketAddr, (&Target, u32))| {
        let socket = single(tls::MATCH_KEY, &tls::mode(modes, target));
        let endpoint = eds::Endpoint { address: Some(address(at)), ..eds::Endpoint::default() };
        eds::LbEndpoint {
            host_identifier: Some(eds::lb_endpoint::HostIdentifier::Endpoint(endpoint)),
            load_balancing_weight: Some(number(weight)),
            metadata: Some(Metadata {
                filter_metadata: [("envoy.transport_socket_match".to_owned(), socket)].into(),
                ..Metadata::default()
            }),
            ..eds::LbEndpoint::default()
        }
    };
    eds::LocalityLbEndpoints {
        locality: Some(Locality { zone: cluster.to_string(), ..Locality::default() }),
        lb_endpoints: targets.into_iter().map(endpoint).collect(),
        priority,
        ..eds::LocalityLbEndpoints::default()
    }
}
