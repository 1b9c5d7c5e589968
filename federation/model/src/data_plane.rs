//! What the data plane of one cluster should do: the words that the agent's plan and the gateway share.
//!
//! The agent makes these from the federation's view and its cluster's own objects; the gateway and the Envoys carry
//! them out. Everything here is complete by itself: a gateway that holds it needs nobody to keep serving.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::export::ExportScope;
use crate::ids::{ClusterId, InvalidServiceId, Namespace, ServiceId};
use crate::spiffe_id::SpiffeId;
use crate::trust_domain::TrustDomain;

/// Names one port of one service. Written as `namespace/name:port`, also when serialised, so that it can be a key in
/// every format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

/// Why a text is not `namespace/name:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServicePortId {
    /// There is no port, or none between 1 and 65535.
    #[error("a service's port is written as namespace/name:port, with a port from 1 to 65535")]
    Port,
    /// The service is wrong.
    #[error(transparent)]
    Service(#[from] InvalidServiceId),
}

impl fmt::Display for ServicePortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.port)
    }
}

impl FromStr for ServicePortId {
    type Err = InvalidServicePortId;
    fn from_str(text: &str) -> Result<Self, InvalidServicePortId> {
        let (service, port) = text.rsplit_once(':').ok_or(InvalidServicePortId::Port)?;
        let port = port.parse().map_err(|_| InvalidServicePortId::Port)?;
        Ok(Self { service: service.parse()?, port })
    }
}

impl TryFrom<String> for ServicePortId {
    type Error = InvalidServicePortId;
    fn try_from(text: String) -> Result<Self, InvalidServicePortId> {
        text.parse()
    }
}

impl From<ServicePortId> for String {
    fn from(id: ServicePortId) -> Self {
        id.to_string()
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
    /// Ready endpoints of this cluster. Shared by every configuration that has them.
    pub endpoints: Arc<BTreeSet<SocketAddr>>,
}

/// An imported port that local clients may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundPort {
    /// The service's VIP as this cluster sees it, one address per family in use.
    pub vip: Vec<IpAddr>,
    /// The port at which gateways listen for it on their own addresses, where something else turns VIPs into those
    /// (on Kubernetes, the derived Service). `None` where the VIPs are addresses of the gateway's machine: it listens
    /// on those, at the service's own port.
    #[serde(default)]
    pub listen_port: Option<NonZeroU16>,
    /// What is spoken inside.
    pub app: AppProtocol,
    /// Best first. A later group is used when no target of the earlier ones can be reached. Shared by every
    /// configuration that has them: a vector inside, since only pointers to what is sized are compared as such first.
    pub groups: Arc<Vec<TargetGroup>>,
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
    /// mTLS: the gateway of another cluster, or a pod of this one that ends its own.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_named_alike_everywhere() {
        let id: ServicePortId = "demo/echo:80".parse().unwrap();
        assert_eq!(id.to_string(), "demo/echo:80");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"demo/echo:80\"");
        assert_eq!(serde_json::from_str::<ServicePortId>("\"demo/echo:80\"").unwrap(), id);
        assert_eq!(id.sni(), "outbound_.80_._.echo.demo.svc.clusterset.local");
        assert_eq!(id.envoy_cluster(), "outbound|80||echo.demo.svc.clusterset.local");
        for wrong in
            ["demo/echo", "demo/echo:", "demo/echo:0", "demo/echo:65536", "echo:80", "demo/echo:80:80"]
        {
            assert!(wrong.parse::<ServicePortId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_expected_peer_of_the_expected_domain_is_accepted() {
        let domain: TrustDomain = "east.lab".parse().unwrap();
        let one_of =
            ExpectedPeer::OneOf(BTreeSet::from(["spiffe://east.lab/ns/demo/sa/echo".parse().unwrap()]));
        let any = ExpectedPeer::AnyOfNamespace("demo".parse().unwrap());
        // The id, and whether the exact list and the whole namespace accept it.
        let cases = [
            ("spiffe://east.lab/ns/demo/sa/echo", true, true),
            ("spiffe://east.lab/ns/demo/sa/other", false, true),
            ("spiffe://east.lab/ns/prod/sa/echo", false, false),
            ("spiffe://east.lab/isthmus/gateway", false, false),
            ("spiffe://west.lab/ns/demo/sa/echo", false, false),
        ];
        for (id, exact, namespace) in cases {
            let id = id.parse().unwrap();
            assert_eq!((one_of.accepts(&domain, &id), any.accepts(&domain, &id)), (exact, namespace), "{id}");
        }
    }
}
