//! The objects that the controller writes, each as far as it is ours to say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;

use federation_model::export::{InternalTrafficPolicy, Protocol, SessionAffinity};
use federation_model::{ClusterId, ExportKind, IpFamily, PortName, ServiceId, ServicePort, Zone};

/// A ServiceImport: its spec, and the labels and annotations that its exporters named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportContent {
    /// `spec.type`.
    pub kind: ExportKind,
    /// `spec.ports`, in merge order.
    pub ports: Vec<ServicePort>,
    /// `spec.ipFamilies`; `ips` are in the same order.
    pub families: Vec<IpFamily>,
    /// `spec.ips`: VIPs; empty when headless.
    pub ips: Vec<IpAddr>,
    /// `spec.sessionAffinity` and its configuration.
    pub session_affinity: SessionAffinity,
    /// `spec.internalTrafficPolicy`.
    pub internal_traffic_policy: InternalTrafficPolicy,
    /// `spec.trafficDistribution`.
    pub traffic_distribution: Option<String>,
    /// Exported labels.
    pub labels: BTreeMap<String, String>,
    /// Exported annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A ServiceImport's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportStatus {
    /// `status.clusters`, by name.
    pub clusters: BTreeSet<ClusterId>,
    /// The condition `Ready`.
    pub ready: Condition,
    /// `status.endpointSliceObjects: Present`; `None` where the installed CRD does not have the field.
    pub slices_present: Option<bool>,
}

/// The Service of type LoadBalancer that makes kube-proxy carry the VIP to the local gateways. In the namespace of the
/// import, owned by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedContent {
    /// The service that it stands for.
    pub import: ServiceId,
    /// TCP ports; never empty, in the order of their numbers, and named after those: clients never see these names, and
    /// of the import's own one may be missing.
    pub ports: Vec<ServicePort>,
    /// Whether it has a selector. It never should, and server-side apply could not take one away.
    pub selector: bool,
    /// `status.loadBalancer.ingress`, each with `ipMode: VIP`.
    pub vips: Vec<IpAddr>,
}

/// An EndpointSlice of ours. In the namespace of the import, owned by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceContent {
    /// What it is for.
    pub role: SliceRole,
    /// The family of every address in it.
    pub family: IpFamily,
    /// Ports, by the names of the service's.
    pub ports: Vec<SlicePort>,
    /// At most 1,000 (discovery/v1).
    pub endpoints: Vec<SliceEndpoint>,
}

/// Who reads a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SliceRole {
    /// kube-proxy: the local gateways behind a derived Service (`kubernetes.io/service-name`).
    Derived {
        /// The name of the derived Service.
        service: String,
    },
    /// Readers of KEP-1645's slices: what one cluster exports of one service
    /// (`multicluster.kubernetes.io/service-name` and `multicluster.kubernetes.io/source-cluster`).
    Mcs {
        /// The imported service.
        service: ServiceId,
        /// The exporter.
        source: ClusterId,
    },
}

/// A port of a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlicePort {
    /// The service port's name.
    pub name: Option<PortName>,
    /// The service port's protocol.
    pub protocol: Protocol,
    /// The service port's `appProtocol`.
    pub app_protocol: Option<String>,
    /// Where the addresses listen.
    pub port: NonZeroU16,
}

/// An endpoint of a slice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SliceEndpoint {
    /// Its address.
    pub address: IpAddr,
    /// `conditions.ready`.
    pub ready: bool,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `zone`.
    pub zone: Option<Zone>,
}

/// A condition, without its times and generation: those are set by whoever writes it, at a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `type`.
    pub kind: ConditionKind,
    /// `status`.
    pub status: ConditionStatus,
    /// `reason`; several are joined by commas (KEP-1645).
    pub reason: String,
    /// `message`, for people.
    pub message: String,
}

/// The conditions of KEP-1645 that we set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionKind {
    /// Of exports: what is asked for can be exported.
    Valid,
    /// Of exports: the federation has it. Of imports: it can be used.
    Ready,
    /// Of exports: exporters disagree.
    Conflict,
}

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionStatus {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    Unknown,
}

impl ConditionKind {
    /// `Valid`, `Ready` or `Conflict`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::Ready => "Ready",
            Self::Conflict => "Conflict",
        }
    }
}

impl ConditionStatus {
    /// `True`, `False` or `Unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}
