//! `gateway.toml` of a cluster's gateway.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::layout::Layout;
use crate::topology::ClusterPlace;

#[derive(Serialize)]
struct GatewayConfig {
    name: String,
    agent: String,
    data_dir: PathBuf,
    listen: SocketAddr,
    http_listen: SocketAddr,
    egress: Egress,
}

#[derive(Serialize)]
struct Egress {
    enabled: bool,
}

/// The configuration of one cluster's gateway.
pub fn gateway_toml(layout: &Layout, cluster: &ClusterPlace) -> anyhow::Result<String> {
    Ok(toml::to_string(&GatewayConfig {
        name: cluster.gateway_name(),
        agent: format!("unix:{}", cluster.agent_socket.display()),
        data_dir: layout.cluster(cluster.id.as_str()).join("gateway-data"),
        listen: cluster.gateway,
        http_listen: cluster.gateway_http,
        egress: Egress { enabled: true },
    })?)
}
