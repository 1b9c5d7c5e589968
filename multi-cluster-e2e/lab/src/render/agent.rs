//! `agent.toml` of a cluster's agent.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::layout::Layout;
use crate::topology::{ClusterPlace, Topology, Trust};

#[derive(Serialize)]
struct AgentConfig<'a> {
    cluster: &'a str,
    clusterset: &'a str,
    network: &'a str,
    region: String,
    zone: String,
    data_dir: PathBuf,
    vip_view: String,
    ip_families: [&'static str; 1],
    join: Join,
    source: Source<'a>,
    local: Local,
    dns: Dns,
    http: Http,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<Ca>,
    gateways: [Gateway; 1],
}

#[derive(Serialize)]
struct Ca {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Serialize)]
struct Join {
    servers: Vec<SocketAddr>,
    token_file: PathBuf,
}

#[derive(Serialize)]
struct Source<'a> {
    files: &'a PathBuf,
}

#[derive(Serialize)]
struct Local {
    listen: String,
}

#[derive(Serialize)]
struct Dns {
    listen: SocketAddr,
    upstream: Vec<SocketAddr>,
}

#[derive(Serialize)]
struct Http {
    listen: SocketAddr,
}

#[derive(Serialize)]
struct Gateway {
    address: SocketAddr,
    zone: String,
    weight: u32,
}

/// The configuration of one cluster's agent. Every cluster is a region and a network of its own, as far as the
/// federation is told: they reach each other through gateways only. IPv4 only, for IPv6 has no block of loopback
/// addresses to give each cluster.
pub fn agent_toml(
    layout: &Layout,
    topology: &Topology,
    cluster: &ClusterPlace,
    upstream: Vec<SocketAddr>,
) -> anyhow::Result<String> {
    let id = cluster.id.as_str();
    let ca = layout.cluster_ca(id);
    let ca = Ca { cert: ca.join("cert-chain.pem"), key: ca.join("ca-key.pem") };
    Ok(toml::to_string(&AgentConfig {
        cluster: id,
        clusterset: topology.clusterset.as_str(),
        network: id,
        region: format!("{}-{id}", topology.clusterset),
        zone: cluster.zone(),
        data_dir: layout.cluster(id).join("data"),
        vip_view: cluster.vip_view(),
        ip_families: ["IPv4"],
        join: Join { servers: topology.api_addresses(), token_file: layout.cluster(id).join("join-token") },
        source: Source { files: &cluster.manifests },
        local: Local { listen: format!("unix:{}", cluster.agent_socket.display()) },
        dns: Dns { listen: cluster.dns, upstream },
        http: Http { listen: cluster.agent_http },
        ca: (topology.trust == Trust::Shared).then_some(ca),
        gateways: [Gateway { address: cluster.gateway, zone: cluster.zone(), weight: 1 }],
    })?)
}

/// The name servers of this machine, from `/etc/resolv.conf`: names that are not the clusterset's go there.
pub fn system_name_servers() -> Vec<SocketAddr> {
    name_servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

fn name_servers(resolv_conf: &str) -> Vec<SocketAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .map(|ip| SocketAddr::new(ip, 53))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_from_resolv_conf() {
        let text =
            "# by hand\nsearch lan\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 \nnameserver nonsense\n";
        let found: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
