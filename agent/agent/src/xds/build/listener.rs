//! LDS: where local clients are listened to.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3::TrafficDirection;
use envoy_types::pb::envoy::config::listener::v3 as lds;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::{TcpProxy, tcp_proxy};
use federation_model::data_plane::{AppProtocol, OutboundPort, ServicePortId};
use hcm::http_connection_manager::{CodecType, RouteSpecifier, UpgradeConfig};
use prost::{Message, Name};

use super::parts::{address, ads, any, flag};

/// The name of the listener for HTTP to every imported service, and of its routes.
pub const OUTBOUND_HTTP: &str = "outbound_http";

/// One listener for HTTP to every imported service; the request's authority says which.
pub fn outbound_http(at: SocketAddr) -> lds::Listener {
    let manager = hcm::HttpConnectionManager {
        stat_prefix: OUTBOUND_HTTP.to_owned(),
        codec_type: CodecType::Auto.into(),
        route_specifier: Some(RouteSpecifier::Rds(hcm::Rds {
            config_source: Some(ads()),
            route_config_name: OUTBOUND_HTTP.to_owned(),
        })),
        http_filters: vec![hcm::HttpFilter {
            name: "envoy.filters.http.router".to_owned(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
            ..hcm::HttpFilter::default()
        }],
        upgrade_configs: vec![UpgradeConfig {
            upgrade_type: "websocket".to_owned(),
            ..UpgradeConfig::default()
        }],
        ..hcm::HttpConnectionManager::default()
    };
    let chain = lds::FilterChain {
        filters: vec![filter("envoy.filters.network.http_connection_manager", &manager)],
        ..lds::FilterChain::default()
    };
    lds::Listener {
        name: OUTBOUND_HTTP.to_owned(),
        address: Some(address(at)),
        filter_chains: vec![chain],
        traffic_direction: TrafficDirection::Outbound.into(),
        ..lds::Listener::default()
    }
}

/// A listener `<vip>_<port>` for each address of a TCP port. Without a socket of its own it serves connections that
/// were redirected to another listener.
pub fn tcp(id: &ServicePortId, port: &OutboundPort, bind: bool) -> Vec<lds::Listener> {
    let vips = port.vip.iter().filter(|_| port.app == AppProtocol::Tcp);
    vips.map(|&vip| lds::Listener {
        name: format!("{vip}_{}", id.port),
        address: Some(address(SocketAddr::new(vip, id.port.get()))),
        filter_chains: vec![lds::FilterChain {
            filters: vec![tcp_proxy(&id.envoy_cluster())],
            ..lds::FilterChain::default()
        }],
        bind_to_port: Some(flag(bind)),
        traffic_direction: TrafficDirection::Outbound.into(),
        ..lds::Listener::default()
    })
    .collect()
}

/// A filter that hands a connection to a cluster.
pub(super) fn tcp_proxy(cluster: &str) -> lds::Filter {
    let proxy = TcpProxy {
        stat_prefix: cluster.to_owned(),
        cluster_specifier: Some(tcp_proxy::ClusterSpecifier::Cluster(cluster.to_owned())),
        ..TcpProxy::default()
    };
    filter("envoy.filters.network.tcp_proxy", &proxy)
}

pub(super) fn filter<M: Message + Name>(name: &str, config: &M) -> lds::Filter {
    let config = lds::filter::ConfigType::TypedConfig(any(config));
    lds::Filter { name: name.to_owned(), config_type: Some(config) }
}
