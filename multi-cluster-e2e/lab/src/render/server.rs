//! `server.toml` of a federation server.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use crate::layout::Layout;
use crate::topology::{ServerPlace, Topology, VIP_RANGE_V4, VIP_RANGE_V6};

#[derive(Serialize)]
struct ServerConfig<'a> {
    id: u64,
    clusterset: &'a str,
    data_dir: PathBuf,
    api_listen: SocketAddr,
    raft_listen: SocketAddr,
    http_listen: SocketAddr,
    ca: Ca,
    members: Vec<Member>,
    vips: Vips,
}

#[derive(Serialize)]
struct Ca {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Serialize)]
struct Member {
    id: u64,
    api: SocketAddr,
    raft: SocketAddr,
}

#[derive(Serialize)]
struct Vips {
    v4: &'static str,
    v6: &'static str,
}

/// The configuration of one server of `topology`.
pub fn server_toml(layout: &Layout, topology: &Topology, server: &ServerPlace) -> anyhow::Result<String> {
    let members = topology.servers.iter().map(|s| Member { id: s.id, api: s.api, raft: s.raft }).collect();
    Ok(toml::to_string(&ServerConfig {
        id: server.id,
        clusterset: topology.clusterset.as_str(),
        data_dir: layout.server(server.id).join("data"),
        api_listen: server.api,
        raft_listen: server.raft,
        http_listen: server.http,
        ca: Ca { cert: layout.ca().join("cert.pem"), key: layout.ca().join("key.pem") },
        members,
        vips: Vips { v4: VIP_RANGE_V4, v6: VIP_RANGE_V6 },
    })?)
}
