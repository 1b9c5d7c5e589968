//! A service that one cluster offers to others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::endpoint::{Endpoint, MAX_ENDPOINTS};
use crate::ids::{ClusterId, Generation, PortName, ServiceId, UnixMillis, Zone};
use crate::ip_family::IpFamily;
use crate::rejection::Rejection;
use crate::spiffe_id::SpiffeId;

/// Most ports of one export.
pub const MAX_PORTS: usize = 128;
/// Most localities of one export.
pub const MAX_LOCALITIES: usize = 256;
/// Most clusters named in a scope, and most identities of an export.
pub const MAX_NAMES: usize = 1_024;
/// Longest `trafficDistribution`, in bytes.
pub const MAX_TRAFFIC_DISTRIBUTION: usize = 128;
/// Most exported labels, and most exported annotations.
pub const MAX_METADATA: usize = 256;
/// Longest name of an exported label or annotation, and longest `appProtocol`, in bytes: a prefix of 253, a slash, a
/// name of 63 (Kubernetes, qualified names).
pub const MAX_QUALIFIED_NAME: usize = 317;
/// Longest value of an exported label, in bytes (Kubernetes, label values).
pub const MAX_LABEL_VALUE: usize = 63;
/// Longest value of an exported annotation, in bytes. Kubernetes allows more; annotations that travel stay small.
pub const MAX_ANNOTATION_VALUE: usize = 4_096;

/// One cluster's offer of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Who offers it.
    pub cluster: ClusterId,
    /// What is offered.
    pub service: ServiceId,
    /// When the federation first saw this export: conflicts go to the oldest. Set by `apply`; what an exporter sends
    /// is overwritten, since clusters' clocks are not comparable.
    pub first_seen: UnixMillis,
    /// The exporter's counter of this export.
    pub generation: Generation,
    /// Behind a VIP, or by endpoint.
    pub kind: ExportKind,
    /// Its ports; names and (protocol, port) pairs are unique.
    pub ports: Vec<ServicePort>,
    /// `None` or `ClientIP`, as the Service says.
    pub session_affinity: SessionAffinity,
    /// `internalTrafficPolicy`, as the Service says.
    #[serde(default)]
    pub internal_traffic_policy: InternalTrafficPolicy,
    /// `trafficDistribution`, as the Service says: an open set of words, at most [`MAX_TRAFFIC_DISTRIBUTION`] bytes.
    #[serde(default)]
    pub traffic_distribution: Option<String>,
    /// `ipFamilies`, as the Service says; empty where they are not known.
    #[serde(default)]
    pub ip_families: BTreeSet<IpFamily>,
    /// Labels that the ServiceExport names for export.
    pub labels: BTreeMap<String, String>,
    /// Annotations that the ServiceExport names for export.
    pub annotations: BTreeMap<String, String>,
    /// Who may import it.
    pub scope: ExportScope,
    /// Who ends the mTLS of callers from other clusters.
    pub mtls: MtlsMode,
    /// Readiness and capacity by zone.
    pub localities: Vec<Locality>,
    /// The endpoints themselves; empty unless headless.
    pub endpoints: Vec<Endpoint>,
}

/// How the service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportKind {
    /// Behind one VIP for the whole clusterset.
    ClusterSetIp,
    /// By its endpoints' addresses.
    Headless,
}

/// The transport protocol of a port. All are named in DNS and in imports; gateways carry TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// One port, as clients name it. There is no target port: that is the exporter's own business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name; may be absent when it is the only one.
    pub name: Option<PortName>,
    /// Its protocol.
    pub protocol: Protocol,
    /// `appProtocol`, as the Service says.
    pub app_protocol: Option<String>,
    /// The port number, never zero.
    pub port: std::num::NonZeroU16,
}

/// Session affinity of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionAffinity {
    /// None.
    None,
    /// By client address, for so many seconds.
    ClientIp {
        /// `timeoutSeconds`.
        timeout_seconds: u32,
    },
}

/// Which endpoints traffic from inside a cluster goes to (core/v1 ServiceInternalTrafficPolicy).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InternalTrafficPolicy {
    /// All of them.
    #[default]
    Cluster,
    /// Those on the caller's node.
    Local,
}

/// Which clusters may import an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportScope {
    /// Every cluster of the clusterset.
    All,
    /// These, and the exporter itself.
    Clusters(BTreeSet<ClusterId>),
}

/// Who ends the mTLS of a caller from another cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MtlsMode {
    /// The exporter's gateway, for pods without a proxy.
    Gateway,
    /// The pod's own proxy; the gateway relays by SNI.
    EndToEnd {
        /// SPIFFE ids that may answer; empty means any workload of the service's namespace in the exporter's domain.
        identities: BTreeSet<SpiffeId>,
    },
}

/// The endpoints of one zone, counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locality {
    /// The zone; absent where endpoints name none.
    pub zone: Option<Zone>,
    /// Endpoints ready for traffic.
    pub ready: u32,
    /// All endpoints.
    pub total: u32,
}

impl Protocol {
    /// As Kubernetes writes it (core/v1 ServicePort).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

impl Export {
    /// Whether `cluster` may see and call this export. The exporter always may.
    pub fn visible_to(&self, cluster: &ClusterId) -> bool {
        match &self.scope {
            _ if &self.cluster == cluster => true,
            ExportScope::All => true,
            ExportScope::Clusters(named) => named.contains(cluster),
        }
    }

    /// Whether any cluster other than the exporter may call this export.
    pub fn reachable_from_outside(&self) -> bool {
        match &self.scope {
            ExportScope::All => true,
            ExportScope::Clusters(named) => named.iter().any(|c| c != &self.cluster),
        }
    }

    /// Endpoints ready for traffic, over all zones.
    pub fn ready(&self) -> u32 {
        self.localities.iter().fold(0, |sum, l| sum.saturating_add(l.ready))
    }

    /// Endpoints, over all zones.
    pub fn total(&self) -> u32 {
        self.localities.iter().fold(0, |sum, l| sum.saturating_add(l.total))
    }

    /// About how many bytes it takes: those of its texts, and so many for each element of a list.
    pub fn bytes(&self) -> usize {
        const ELEMENT: usize = 16;
        fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
            texts.into_iter().map(|text| ELEMENT + text.len()).sum()
        }
        fn zone(zone: Option<&Zone>) -> usize {
            zone.map_or(0, |zone| zone.as_str().len())
        }
        let scope = match &self.scope {
            ExportScope::All => 0,
            ExportScope::Clusters(named) => texts(named.iter().map(ClusterId::as_str)),
        };
        let identities = match &self.mtls {
            MtlsMode::Gateway => 0,
            MtlsMode::EndToEnd { identities } => {
                identities.iter().map(|id| ELEMENT + id.to_string().len()).sum()
            }
        };
        let port = |port: &ServicePort| {
            let name = port.name.as_ref().map_or(0, |name| name.as_str().len());
            ELEMENT + name + port.app_protocol.as_ref().map_or(0, String::len)
        };
        let endpoint = |endpoint: &Endpoint| {
            let hostname = endpoint.hostname.as_ref().map_or(0, |hostname| hostname.as_str().len());
            2 * ELEMENT + hostname + zone(endpoint.zone.as_ref())
        };
        let metadata = self.labels.iter().chain(&self.annotations);
        texts([self.cluster.as_str(), self.service.namespace.as_str(), self.service.name.as_str()])
            + self.traffic_distribution.as_ref().map_or(0, String::len)
            + self.ports.iter().map(port).sum::<usize>()
            + metadata.map(|(key, value)| ELEMENT + key.len() + value.len()).sum::<usize>()
            + self.localities.iter().map(|l| ELEMENT + zone(l.zone.as_ref())).sum::<usize>()
            + self.endpoints.iter().map(endpoint).sum::<usize>()
            + scope
            + identities
    }

    /// Whether `other` says the same, apart from its age and generation.
    pub fn same_content(&self, other: &Self) -> bool {
        self.same_offer(other) && self.localities == other.localities && self.endpoints == other.endpoints
    }

    /// Whether `other` offers the same, whoever is ready behind it.
    pub fn same_offer(&self, other: &Self) -> bool {
        // Named one by one, so that a field that is added here must be thought of.
        let Self {
            cluster,
            service,
            first_seen: _,
            generation: _,
            kind,
            ports,
            session_affinity,
            internal_traffic_policy,
            traffic_distribution,
            ip_families,
            labels,
            annotations,
            scope,
            mtls,
            localities: _,
            endpoints: _,
        } = self;
        cluster == &other.cluster
            && service == &other.service
            && kind == &other.kind
            && ports == &other.ports
            && session_affinity == &other.session_affinity
            && internal_traffic_policy == &other.internal_traffic_policy
            && traffic_distribution == &other.traffic_distribution
            && ip_families == &other.ip_families
            && labels == &other.labels
            && annotations == &other.annotations
            && scope == &other.scope
            && mtls == &other.mtls
    }

    /// Refuses lists longer than their bounds.
    pub(crate) fn check_bounds(&self) -> Result<(), Rejection> {
        let scope = match &self.scope {
            ExportScope::All => 0,
            ExportScope::Clusters(named) => named.len(),
        };
        let identities = match &self.mtls {
            MtlsMode::Gateway => 0,
            MtlsMode::EndToEnd { identities } => identities.len(),
        };
        let bounds = [
            ("ports", self.ports.len(), MAX_PORTS),
            ("localities", self.localities.len(), MAX_LOCALITIES),
            ("endpoints", self.endpoints.len(), MAX_ENDPOINTS),
            ("clusters in the scope", scope, MAX_NAMES),
            ("identities", identities, MAX_NAMES),
            ("exported labels", self.labels.len(), MAX_METADATA),
            ("exported annotations", self.annotations.len(), MAX_METADATA),
        ];
        match bounds.into_iter().find(|(_, given, max)| given > max) {
            None => Ok(()),
            Some((what, given, max)) => {
                Err(Rejection::TooMany { what: what.to_owned(), given: given as u64, max: max as u64 })
            }
        }
    }
}

impl MtlsMode {
    /// Whether the gateway relays without seeing inside.
    pub fn is_end_to_end(&self) -> bool {
        matches!(self, Self::EndToEnd { .. })
    }
}
