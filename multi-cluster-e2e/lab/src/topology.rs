//! Where everything of one lab stands: addresses, decided once before anything starts and never changed while it runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use federation_model::{ClusterId, TrustDomain};
use serde::{Deserialize, Serialize};

/// The clusterset of every lab, which is also the trust domain of its servers.
pub const CLUSTERSET: &str = "lab";
/// Where the federation gives VIPs from. No process ever listens there: each cluster sees the range through a block
/// of its own (see [`ClusterPlace::vip_view`]), since all clusters of a lab share one kernel.
pub const VIP_RANGE_V4: &str = "127.240.0.0/16";
/// The other family of the same.
pub const VIP_RANGE_V6: &str = "fd69:7374:686d::/48";
/// The port on which every sample service is called. Above 1023, so that no root is needed.
pub const SERVICE_PORT: u16 = 8080;

/// Where the authorities of the clusters' trust domains come from. Whom anybody believes is the same either way: each
/// domain by the authority of its own cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Every agent makes its cluster's, which is its own root.
    #[default]
    Separate,
    /// All are issued beforehand under one root, whose key nobody in the lab has.
    Shared,
}

/// All places of one lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// The name of the clusterset.
    pub clusterset: TrustDomain,
    /// Where the clusters' authorities come from.
    #[serde(default)]
    pub trust: Trust,
    /// The federation servers.
    pub servers: Vec<ServerPlace>,
    /// The clusters, in the order given: the first is the one that calls in the tour, the second the one that answers.
    pub clusters: Vec<ClusterPlace>,
}

/// One federation server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// Its Raft id, from 1.
    pub id: u64,
    /// gRPC for agents and operators.
    pub api: SocketAddr,
    /// Raft, for its peers.
    pub raft: SocketAddr,
    /// `/readyz` and the like.
    pub http: SocketAddr,
}

impl ServerPlace {
    /// The name of its process.
    pub fn name(&self) -> String {
        format!("server-{}", self.id)
    }
}

/// One cluster: an agent, a gateway, sample backends and perhaps an Envoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPlace {
    /// Its id.
    pub id: ClusterId,
    /// The second octet of its block of loopback addresses, `127.<octet>.0.0/16`.
    pub octet: u8,
    /// The directory of YAML that its agent reads: the user edits the files in it.
    pub manifests: PathBuf,
    /// Where its agent answers DNS, UDP and TCP.
    pub dns: SocketAddr,
    /// Its agent's `/status`.
    pub agent_http: SocketAddr,
    /// The Unix socket of xDS and of the gateway's configuration.
    pub agent_socket: PathBuf,
    /// Where other clusters enter it, by mTLS.
    pub gateway: SocketAddr,
    /// Its gateway's `/status`.
    pub gateway_http: SocketAddr,
    /// Its Envoy, if the lab has any.
    pub envoy: Option<EnvoyPlace>,
    /// Its sample backends.
    pub backends: Vec<BackendPlace>,
}

impl ClusterPlace {
    /// The name of its agent's process.
    pub fn agent_name(&self) -> String {
        format!("{}-agent", self.id)
    }

    /// The name of its gateway's process.
    pub fn gateway_name(&self) -> String {
        format!("{}-gateway", self.id)
    }

    /// The name of its Envoy's process.
    pub fn envoy_name(&self) -> String {
        format!("{}-envoy", self.id)
    }

    /// The block through which this cluster sees the federation's VIPs.
    pub fn vip_view(&self) -> String {
        format!("127.{}.0.0/16", self.octet)
    }

    /// The address of its pod number `index` (from 0). At the far end of the block: VIPs are given from its start.
    pub fn pod_address(octet: u8, index: u8) -> IpAddr {
        Ipv4Addr::new(127, octet, 254, index.saturating_add(1)).into()
    }

    /// The zone of everything in it.
    pub fn zone(&self) -> String {
        format!("{}-a", self.id)
    }

    /// The backends of one service.
    pub fn backends_of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a BackendPlace> {
        self.backends.iter().filter(move |b| b.service == service)
    }
}

/// One Envoy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvoyPlace {
    /// Where its clients send HTTP, whatever the service: it routes by the Host header.
    pub outbound: SocketAddr,
    /// Its own admin endpoint.
    pub admin: SocketAddr,
}

/// One sample backend: a process that answers HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendPlace {
    /// The cluster it is in.
    pub cluster: ClusterId,
    /// The service it belongs to.
    pub service: String,
    /// Its pod's name.
    pub pod: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl BackendPlace {
    /// The name of its process.
    pub fn name(&self) -> String {
        format!("{}-{}", self.cluster, self.pod)
    }
}

impl Topology {
    /// One cluster by name.
    pub fn cluster(&self, name: &str) -> anyhow::Result<&ClusterPlace> {
        self.clusters.iter().find(|c| c.id.as_str() == name).ok_or_else(|| {
            let known: Vec<&str> = self.clusters.iter().map(|c| c.id.as_str()).collect();
            anyhow::anyhow!("this lab has no cluster {name:?}; it has {}", known.join(", "))
        })
    }

    /// `ip:port` of every server's API, as clients list them.
    pub fn api_addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|s| s.api).collect()
    }
}
