//! What should be true in this cluster: the plan's result.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation_model::data_plane::GatewayConfig;
use federation_model::export::Protocol;
use federation_model::{ClusterId, PortName, ServiceId};

/// The whole desired state of one cluster's data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// What the DNS server answers. The same pointer as before where nothing of it changed.
    pub dns: Arc<DnsTable>,
    /// What the gateways do; Envoys get the same egress by xDS.
    pub gateway: GatewayConfig,
}

/// The names of the clusterset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DnsTable {
    /// By service; what is not here does not exist. What did not change is shared with the table before.
    pub services: BTreeMap<ServiceId, Arc<DnsService>>,
}

/// The records of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsService {
    /// Its addresses.
    pub kind: DnsKind,
    /// Its ports, for SRV.
    pub ports: Vec<DnsPort>,
}

/// Where a service's addresses come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DnsKind {
    /// The VIP as this cluster sees it, one per family in use.
    Vip(Vec<IpAddr>),
    /// Ready endpoints. Never empty: a headless service without ready endpoints does not exist (KEP-1645, DNS
    /// specification).
    Headless(BTreeSet<DnsEndpoint>),
}

/// One ready endpoint of a headless service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsEndpoint {
    /// The cluster it is in.
    pub cluster: ClusterId,
    /// Its label under the cluster: its hostname, or its address with dashes.
    pub hostname: String,
    /// Its address.
    pub address: IpAddr,
}

/// One port, for SRV records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsPort {
    /// Its name; a port without one has no SRV record of its own.
    pub name: Option<PortName>,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Its number.
    pub port: u16,
}
