//! A member of the clusterset.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, InstanceId, NetworkId, Region, UnixMillis, Zone};
use crate::trust_domain::TrustDomain;

/// How long a lease lasts after it was last renewed, in milliseconds.
pub const LEASE_MILLIS: u64 = 10_000;
/// Most gateways that one cluster may register.
pub const MAX_GATEWAYS: usize = 64;
/// Largest weight of a gateway; the smallest is 1.
pub const MAX_GATEWAY_WEIGHT: u32 = 1_000;

/// One cluster, as its agent registered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its id, unique in the clusterset.
    pub id: ClusterId,
    /// The network of its endpoints.
    pub network: NetworkId,
    /// Where it is, for failover order.
    pub region: Option<Region>,
    /// Its zone, where it has just one.
    pub zone: Option<Zone>,
    /// The domain of its workloads' identities.
    pub trust_domain: TrustDomain,
    /// Where other clusters enter it.
    pub gateways: Vec<Gateway>,
    /// Its proof of life.
    pub lease: Lease,
}

/// An east-west gateway's address, as other clusters dial it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gateway {
    /// Address and port.
    pub address: SocketAddr,
    /// The zone it stands in.
    pub zone: Option<Zone>,
    /// Its share of the traffic relative to the cluster's other gateways, 1 to [`MAX_GATEWAY_WEIGHT`].
    pub weight: u32,
}

/// Proof of life of a cluster's agent, by the Raft leader's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lease {
    /// The agent `instance` has renewed it and it has not run out.
    Held {
        /// The agent that holds it; another is refused.
        instance: InstanceId,
        /// When it runs out unless renewed.
        until: UnixMillis,
    },
    /// It ran out. Exports are kept, and served last.
    Expired {
        /// When it ran out.
        at: UnixMillis,
    },
}

impl Cluster {
    /// Whether `other` is the same to those who watch: that a lease was renewed is no news.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        let same_lease = match (&self.lease, &other.lease) {
            (Lease::Held { instance, .. }, Lease::Held { instance: other, .. }) => instance == other,
            (lease, other) => lease == other,
        };
        same_lease && Self { lease: other.lease.clone(), ..self.clone() } == *other
    }
}

impl Lease {
    /// Whether the agent is believed alive.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Whether it is held, and ends within `millis` from `now` unless it is renewed.
    pub fn ends_within(&self, millis: u64, now: UnixMillis) -> bool {
        matches!(self, Self::Held { until, .. } if *until <= now.plus(millis))
    }
}
