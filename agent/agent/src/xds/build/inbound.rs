//! `EndToEnd`: the proxy beside a workload ends the callers' mTLS and decides who of them may call.

use envoy_types::pb::envoy::config::cluster::v3 as cds;
use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use envoy_types::pb::envoy::config::endpoint::v3 as eds;
use envoy_types::pb::envoy::config::listener::v3 as lds;
use envoy_types::pb::envoy::config::rbac::v3 as rbac;
use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac as RbacFilter;
use federation_model::data_plane::GatewayConfig;
use federation_model::{ExportScope, TrustDomain};

use super::listener::{filter, tcp_proxy};
use super::parts::{address, prefix};
use super::tls;
use crate::xds::node::Inbound;

/// The listener of a served port: client certificate required, its domain's cluster in the export's scope, then bytes.
pub fn listener(config: &GatewayConfig, inbound: &Inbound) -> lds::Listener {
    let rules = rbac::Rbac {
        action: rbac::rbac::Action::Allow.into(),
        // No policy allows nobody: what is not exported is not served.
        policies: policy(&callers(config, inbound))
            .map(|one| ("scope".to_owned(), one))
            .into_iter()
            .collect(),
        ..rbac::Rbac::default()
    };
    let filters = vec![
        filter(
            "envoy.filters.network.rbac",
            &RbacFilter {
                rules: Some(rules),
                stat_prefix: format!("inbound_{}.", inbound.port),
                ..RbacFilter::default()
            },
        ),
        tcp_proxy(&cluster_name(inbound)),
    ];
    lds::Listener {
        name: format!("inbound_{}", inbound.listen),
        address: Some(address(inbound.listen)),
        filter_chains: vec![lds::FilterChain {
            filters,
            transport_socket: Some(tls::downstream()),
            ..lds::FilterChain::default()
        }],
        traffic_direction: TrafficDirection::Inbound.into(),
        ..lds::Listener::default()
    }
}

/// The workload itself.
pub fn cluster(inbound: &Inbound) -> cds::Cluster {
    let name = cluster_name(inbound);
    let endpoint = eds::Endpoint { address: Some(address(inbound.backend)), ..eds::Endpoint::default() };
    let endpoint = eds::LbEndpoint {
        host_identifier: Some(eds::lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..eds::LbEndpoint::default()
    };
    let local =
        eds::LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..eds::LocalityLbEndpoints::default() };
    cds::Cluster {
        cluster_discovery_type: Some(cds::cluster::ClusterDiscoveryType::Type(
            cds::cluster::DiscoveryType::Static.into(),
        )),
        load_assignment: Some(eds::ClusterLoadAssignment {
            cluster_name: name.clone(),
            endpoints: vec![local],
            ..eds::ClusterLoadAssignment::default()
        }),
        name,
        ..cds::Cluster::default()
    }
}

fn cluster_name(inbound: &Inbound) -> String {
    format!("inbound|{}||{}", inbound.port, inbound.backend)
}

/// The trust domains of the clusters that may call. The exporter itself always may.
fn callers<'a>(config: &'a GatewayConfig, inbound: &Inbound) -> Vec<&'a TrustDomain> {
    let Some(route) = config.ingress.get(&inbound.service_port()) else { return Vec::new() };
    let may = |cluster| match &route.scope {
        ExportScope::All => true,
        ExportScope::Clusters(named) => named.contains(cluster) || *cluster == config.cluster,
    };
    config.cluster_domains.iter().filter(|(_, cluster)| may(cluster)).map(|(domain, _)| domain).collect()
}

fn policy(callers: &[&TrustDomain]) -> Option<rbac::Policy> {
    let principal = |domain: &&TrustDomain| rbac::Principal {
        identifier: Some(rbac::principal::Identifier::Authenticated(rbac::principal::Authenticated {
            principal_name: Some(prefix(format!("spiffe://{domain}/"))),
        })),
    };
    (!callers.is_empty()).then(|| rbac::Policy {
        permissions: vec![rbac::Permission { rule: Some(rbac::permission::Rule::Any(true)) }],
        principals: callers.iter().map(principal).collect(),
        ..rbac::Policy::default()
    })
}
