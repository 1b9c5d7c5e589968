//! An address that serves one export. Only headless services and flat networks publish these.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{PortName, Zone};

/// Most endpoints that one export may carry.
pub const MAX_ENDPOINTS: usize = 10_000;

/// One endpoint of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its own name under the service (headless services), a DNS label, if it has one.
    pub hostname: Option<PortName>,
    /// The zone it runs in.
    pub zone: Option<Zone>,
    /// Whether it may be given traffic.
    pub ready: bool,
}
