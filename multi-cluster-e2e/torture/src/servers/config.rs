//! `server.toml` of a server behind proxies.

use std::net::SocketAddr;
use std::path::PathBuf;

use federation_model::TrustDomain;
use serde::Serialize;

use super::Place;

/// What the file of one server says.
pub(super) struct Options<'a> {
    pub(super) id: u64,
    pub(super) clusterset: &'a TrustDomain,
    pub(super) data: PathBuf,
    pub(super) ca: PathBuf,
    pub(super) place: Place,
    /// As everybody dials them.
    pub(super) members: &'a [(u64, Place)],
    pub(super) join: bool,
}

#[derive(Serialize)]
struct Config<'a> {
    id: u64,
    clusterset: &'a str,
    data_dir: PathBuf,
    api_listen: SocketAddr,
    raft_listen: SocketAddr,
    http_listen: SocketAddr,
    ca: Ca,
    members: Vec<Member>,
    /// Only where it is so: a founder's file is without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    join: bool,
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

/// The text of the file.
pub(super) fn render(options: &Options<'_>) -> anyhow::Result<String> {
    let Options { id, clusterset, data, ca, place, members, join } = options;
    let member =
        |(id, place): &(u64, Place)| Member { id: *id, api: place.api.proxy, raft: place.raft.proxy };
    Ok(toml::to_string(&Config {
        id: *id,
        clusterset: clusterset.as_str(),
        data_dir: data.clone(),
        api_listen: place.api.real,
        raft_listen: place.raft.real,
        http_listen: place.http,
        ca: Ca { cert: ca.join("cert.pem"), key: ca.join("key.pem") },
        members: members.iter().map(member).collect(),
        join: *join,
    })?)
}
