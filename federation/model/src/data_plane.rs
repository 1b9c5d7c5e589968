//! What the data plane of one cluster should do: the words that the agent's plan and the gateway share.
//!
//! The agent makes these from the federation's view and its cluster's own objects; the gateway and the Envoys carry
//! them out. Everything here is complete by itself: a gateway that holds it needs nobody to keep serving.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::export::ExportScope;
use crate::ids::{ClusterId, Namespace, ServiceId};
use crate::spiffe_id::SpiffeId;
use crate::trust_domain::TrustDomain;

/// Names one port of one service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServicePortId {
    /// The service.
    pub service: ServiceId,
    /// The port, as clients name it.
    pub port: NonZeroU16,
}

impl ServicePortId {
    /// The SNI of calls to it through a gateway, in Istio's form and without a subset:
    /// `outbound_.<port>_._.<service>.<namespace>.svc.clusterset.local`.
    pub fn sni(&self) -> String {
        format!("outbound_.{}_._.{}", self.port, self.service.host())
    }

    /// The name of its Envoy cluster, in Istio's form and without a subset: `outbound|<port>||<host>`.
    pub fn envoy_cluster(&self) -> String {
        format!("outbound|{}||{}", self.port, self.service.host())
    }
}

/// Everything that a gateway needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayConfig {
    /// The cluster that the gateway stands in.
    pub cluster: ClusterId,
    /// The domain of its identity.
    pub trust_domain: TrustDomain,
    /// The bundle of every domain, each for its own leaves only.
    pub bundles: BTreeMap<TrustDomain, Bundle>,
    /// Whose domain is whose: a caller's cluster is that of its certificate's domain.
    pub cluster_domains: BTreeMap<TrustDomain, ClusterId>,
    /// What others may call here.
    pub ingress: BTreeMap<ServicePortId, IngressRoute>,
    /// What local clients may call elsewhere.
    pub egress: BTreeMap<ServicePortId, OutboundPort>,
}

/// A port of a local service that other clusters may call through the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressRoute {
    /// Which clusters may call.
    pub scope: ExportScope,
    /// Whether the gateway relays by SNI (`true`) or ends mTLS (`false`).
    pub end_to_end: bool,
    /// Ready endpoints of this cluster.
    pub endpoints: BTreeSet<SocketAddr>,
}

/// An imported port that local clients may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundPort {
    /// The service's VIP as this cluster sees it, one address per family in use.
    pub vip: Vec<IpAddr>,
    /// What is spoken inside.
    pub app: AppProtocol,
    /// Best first. A later group is used when no target of the earlier ones can be reached.
    pub groups: Vec<TargetGroup>,
}

/// What is spoken on a port, as far as a proxy needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppProtocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS (`kubernetes.io/h2c`, `grpc`).
    Http2,
    /// Anything else.
    Tcp,
}

/// Targets of equal rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Never empty.
    pub targets: Vec<Target>,
}

/// One address to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// Its share of its group, at least 1.
    pub weight: u32,
    /// Whose it is.
    pub cluster: ClusterId,
    /// How to speak to it.
    pub via: Via,
}

/// How a target is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Via {
    /// An endpoint of this cluster: plain TCP.
    Plain,
    /// The gateway of another cluster, by mTLS.
    Mtls {
        /// The name to ask for.
        sni: String,
        /// Only this domain's bundle is consulted.
        trust_domain: TrustDomain,
        /// Who may answer.
        expect: ExpectedPeer,
    },
}

/// Who may answer an mTLS call. The trust domain is checked besides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExpectedPeer {
    /// One of these, exactly.
    OneOf(BTreeSet<SpiffeId>),
    /// Any workload of this namespace.
    AnyOfNamespace(Namespace),
}

impl ExpectedPeer {
    /// Whether `id` may answer for `domain`.
    pub fn accepts(&self, domain: &TrustDomain, id: &SpiffeId) -> bool {
        id.trust_domain() == domain
            && match self {
                Self::OneOf(ids) => ids.contains(id),
                Self::AnyOfNamespace(namespace) => id.namespace() == Some(namespace.as_str()),
            }
    }
}
