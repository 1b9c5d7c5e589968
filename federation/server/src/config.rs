//! The configuration file of a server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use federation_kit::config::{self, ConfigError};
use federation_kit::grpc::is_host_port;
use federation_model::{ServerId, TrustDomain, VipRanges};
use federation_raft::{Member, Timing};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::Deserialize;

use crate::limits::Limits;

/// A server's configuration, as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This server's number, unique in the clusterset.
    pub id: ServerId,
    /// The clusterset's name, which is also the trust domain of servers, agents and operators.
    pub clusterset: TrustDomain,
    /// Where log and snapshots are kept. It belongs to this server of this clusterset for ever.
    pub data_dir: PathBuf,
    /// gRPC for agents and operators.
    pub api_listen: SocketAddr,
    /// gRPC between servers.
    pub raft_listen: SocketAddr,
    /// Plain HTTP for operators: health, metrics, status.
    pub http_listen: SocketAddr,
    /// The clusterset's certificate authority.
    pub ca: CaFiles,
    /// The first voters: the same list on every server. Of a server that joins: servers of the group, and itself.
    pub members: Vec<MemberConfig>,
    /// Whether this server waits to be added to a group that is there. It never founds one.
    #[serde(default)]
    pub join: bool,
    /// Where VIPs are taken from. Ignored once the first VIP was given.
    #[serde(default)]
    pub vips: VipConfig,
    /// `host:port` of the servers as agents should dial them; default: the `api` of whoever is a member.
    pub advertise_servers: Option<Vec<String>>,
    /// What one cluster may take, and this server as a whole.
    #[serde(default)]
    pub limits: Limits,
    /// Mebibytes that must be free where the data directory is. With less, the server lets another one lead, takes no
    /// writes and goes on serving reads; with a quarter more it takes part again.
    #[serde(default = "min_free_mib")]
    pub min_free_mib: u64,
    /// Raft's clocks; not in the file.
    #[serde(skip)]
    pub timing: Timing,
}

/// PEM files of the clusterset's certificate authority.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaFiles {
    /// Its certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// One voter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberConfig {
    /// Its number.
    pub id: ServerId,
    /// `host:port` where agents and operators reach it.
    pub api: String,
    /// `host:port` where the other servers reach it.
    pub raft: String,
}

/// The VIP ranges.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VipConfig {
    /// IPv4.
    pub v4: Ipv4Net,
    /// IPv6.
    pub v6: Ipv6Net,
}

impl Default for VipConfig {
    fn default() -> Self {
        let VipRanges { v4, v6 } = VipRanges::DEFAULT;
        Self { v4, v6 }
    }
}

/// Several times what the engine writes between two looks at the disk.
const fn min_free_mib() -> u64 {
    64
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let config: Self = config::load(path)?;
        match config.problem() {
            None => Ok(config),
            Some((key, problem)) => Err(ConfigError::invalid(path, key, problem)),
        }
    }

    /// The first rule over several keys that is broken, with the key that breaks it.
    fn problem(&self) -> Option<(String, String)> {
        let mut seen = BTreeMap::new();
        for (at, member) in self.members.iter().enumerate() {
            for (key, address) in [("api", &member.api), ("raft", &member.raft)] {
                if !is_host_port(address) {
                    return Some((format!("members[{at}].{key}"), "is not host:port".to_owned()));
                }
            }
            if seen.insert(member.id, at).is_some() {
                return Some((format!("members[{at}].id"), format!("server {} is listed twice", member.id)));
            }
        }
        if !seen.contains_key(&self.id) {
            return Some(("members".to_owned(), format!("this server, {}, is not listed", self.id)));
        }
        if self.vip_ranges().capacity() == 0 {
            return Some(("vips".to_owned(), "a range has no room for any address".to_owned()));
        }
        let wrong = self.advertise_servers.iter().flatten().position(|address| !is_host_port(address));
        wrong.map(|at| (format!("advertise_servers[{at}]"), "is not host:port".to_owned()))
    }

    /// The voters, by number.
    #[must_use]
    pub fn voters(&self) -> BTreeMap<ServerId, Member> {
        let member = |m: &MemberConfig| (m.id, Member { api: m.api.clone(), raft: m.raft.clone() });
        self.members.iter().map(member).collect()
    }

    /// The configured VIP ranges.
    #[must_use]
    pub fn vip_ranges(&self) -> VipRanges {
        VipRanges { v4: self.vips.v4, v6: self.vips.v6 }
    }

    /// What `/config` shows: where things are, and no secret (there is none in the file).
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{self:#?}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        id = 1
        clusterset = "lab"
        data_dir = "data"
        api_listen = "127.0.0.1:7400"
        raft_listen = "127.0.0.1:7401"
        http_listen = "127.0.0.1:7402"
        ca = { cert = "ca.pem", key = "ca.key" }
        members = [
            { id = 1, api = "a:1", raft = "a:2" },
            { id = 2, api = "b:1", raft = "b:2" },
        ]
    "#;

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path)
    }

    #[test]
    fn defaults_are_filled_in() {
        let config = load(GOOD).unwrap();
        assert_eq!(config.vip_ranges(), VipRanges::DEFAULT);
        assert_eq!((config.limits.exports, config.limits.memory_bytes), (5_000, None));
        let config =
            load(&format!("{GOOD}\nlimits = {{ exports = 7, memory_bytes = 1_000_000_000 }}")).unwrap();
        assert_eq!((config.limits.exports, config.limits.memory_bytes), (7, Some(1_000_000_000)));
        assert!(!config.join && config.advertise_servers.is_none());
    }

    #[test]
    fn mistakes_name_the_key() {
        let cases = [
            (GOOD.replace("id = 1\n", "id = 7\n"), "this server, 7, is not listed"),
            (GOOD.replace("id = 2", "id = 1"), "members[1].id"),
            (GOOD.replace("\"b:2\"", "\"b\""), "members[1].raft"),
            (GOOD.replace("\"b:1\"", "\"b:0\""), "members[1].api"),
            (format!("{GOOD}\nvips.v4 = \"10.0.0.0/32\""), "no room for any address"),
            (format!("{GOOD}\nvip = 1"), "vip"),
            (format!("{GOOD}\nadvertise_servers = [\"x:1\", \"y\"]"), "advertise_servers[1]"),
            (format!("{GOOD}\nlimits = {{ streams = 0 }}"), "expected a nonzero u32"),
            (format!("{GOOD}\nlimits = {{ export = 1 }}"), "export"),
            (GOOD.replace("\"lab\"", "\"Lab\""), "clusterset"),
        ];
        for (text, expected) in cases {
            let error = load(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }
}
