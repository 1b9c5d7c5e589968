//! What a set of exports of one service amounts to: the import, merged by KEP-1645, "Constraints and Conflict
//! Resolution". Derived, never stored.

use std::collections::{BTreeMap, BTreeSet};

use crate::export::{Export, ExportKind, InternalTrafficPolicy, Protocol, ServicePort, SessionAffinity};
use crate::ids::{ClusterId, ServiceId};

/// A service of the clusterset as its importers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The service.
    pub service: ServiceId,
    /// The oldest export's kind.
    pub kind: ExportKind,
    /// The union of the ports; on conflict the oldest export's.
    pub ports: Vec<ImportPort>,
    /// The oldest export's.
    pub session_affinity: SessionAffinity,
    /// The oldest export's.
    pub internal_traffic_policy: InternalTrafficPolicy,
    /// The oldest export's.
    pub traffic_distribution: Option<String>,
    /// The oldest export's exported labels.
    pub labels: BTreeMap<String, String>,
    /// The oldest export's exported annotations.
    pub annotations: BTreeMap<String, String>,
    /// Who exports it, oldest first: the first decides every conflict.
    pub exporters: Vec<ClusterId>,
    /// Exporters of this kind, oldest first. Exporters whose kind lost are not among them.
    pub clusters: Vec<ClusterId>,
    /// What the exporters disagree on, and who disagrees with the oldest.
    pub conflicts: BTreeMap<Conflict, BTreeSet<ClusterId>>,
}

/// A port of an import, and who serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportPort {
    /// The port.
    pub port: ServicePort,
    /// The exporters that have it, oldest first. Traffic to this port goes to no other.
    pub clusters: Vec<ClusterId>,
}

/// What exporters of one service may disagree on; the words are KEP-1645's condition reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Conflict {
    /// The sets of ports are not the same.
    PortConflict,
    /// One is headless, another is not.
    TypeConflict,
    /// One has session affinity, another has not.
    SessionAffinityConflict,
    /// Session affinity lasts for different times.
    SessionAffinityConfigConflict,
    /// Exported annotations differ.
    AnnotationsConflict,
    /// Exported labels differ.
    LabelsConflict,
    /// `internalTrafficPolicy` differs.
    InternalTrafficPolicyConflict,
    /// `trafficDistribution` differs.
    TrafficDistributionConflict,
    /// Headless, and in different IP families: a client of one family would reach only some of the endpoints. Behind
    /// a VIP the gateways translate between families, so that there is nothing to disagree on.
    IPFamilyConflict,
}

impl Conflict {
    /// The condition reason.
    pub fn reason(self) -> &'static str {
        match self {
            Self::PortConflict => "PortConflict",
            Self::TypeConflict => "TypeConflict",
            Self::SessionAffinityConflict => "SessionAffinityConflict",
            Self::SessionAffinityConfigConflict => "SessionAffinityConfigConflict",
            Self::AnnotationsConflict => "AnnotationsConflict",
            Self::LabelsConflict => "LabelsConflict",
            Self::InternalTrafficPolicyConflict => "InternalTrafficPolicyConflict",
            Self::TrafficDistributionConflict => "TrafficDistributionConflict",
            Self::IPFamilyConflict => "IPFamilyConflict",
        }
    }
}

impl Import {
    /// Merges the exports of one service; `None` without any. The order of `exports` does not matter: the oldest
    /// wins, and of two of the same age the cluster first by name.
    pub fn merge<'a>(exports: impl IntoIterator<Item = &'a Export>) -> Option<Self> {
        let mut exports: Vec<&Export> = exports.into_iter().collect();
        exports.sort_by(|a, b| (a.first_seen, &a.cluster).cmp(&(b.first_seen, &b.cluster)));
        let oldest = *exports.first()?;

        let mut conflicts: BTreeMap<Conflict, BTreeSet<ClusterId>> = BTreeMap::new();
        for other in &exports {
            for conflict in disagreements(oldest, other) {
                conflicts.entry(conflict).or_default().insert(other.cluster.clone());
            }
        }

        let exporters = exports.iter().map(|e| e.cluster.clone()).collect();
        exports.retain(|e| e.kind == oldest.kind);
        Some(Self {
            service: oldest.service.clone(),
            kind: oldest.kind,
            ports: merge_ports(&exports),
            session_affinity: oldest.session_affinity,
            internal_traffic_policy: oldest.internal_traffic_policy,
            traffic_distribution: oldest.traffic_distribution.clone(),
            labels: oldest.labels.clone(),
            annotations: oldest.annotations.clone(),
            exporters,
            clusters: exports.iter().map(|e| e.cluster.clone()).collect(),
            conflicts,
        })
    }

    /// Who decides every conflict.
    pub fn oldest(&self) -> Option<&ClusterId> {
        self.exporters.first()
    }
}

/// What `other` and the oldest export disagree on. Families count only between two headless exports, and only where
/// both are known.
fn disagreements(oldest: &Export, other: &Export) -> impl Iterator<Item = Conflict> {
    let affinity = |e: &Export| matches!(e.session_affinity, SessionAffinity::ClientIp { .. });
    let headless = oldest.kind == ExportKind::Headless && other.kind == ExportKind::Headless;
    let families_known = !oldest.ip_families.is_empty() && !other.ip_families.is_empty();
    let same_affinity = affinity(oldest) == affinity(other);
    [
        (port_set(other) != port_set(oldest), Conflict::PortConflict),
        (other.kind != oldest.kind, Conflict::TypeConflict),
        (!same_affinity, Conflict::SessionAffinityConflict),
        (
            same_affinity && other.session_affinity != oldest.session_affinity,
            Conflict::SessionAffinityConfigConflict,
        ),
        (other.annotations != oldest.annotations, Conflict::AnnotationsConflict),
        (other.labels != oldest.labels, Conflict::LabelsConflict),
        (
            other.internal_traffic_policy != oldest.internal_traffic_policy,
            Conflict::InternalTrafficPolicyConflict,
        ),
        (other.traffic_distribution != oldest.traffic_distribution, Conflict::TrafficDistributionConflict),
        (headless && families_known && other.ip_families != oldest.ip_families, Conflict::IPFamilyConflict),
    ]
    .into_iter()
    .filter_map(|(differs, conflict)| differs.then_some(conflict))
}

/// Unites ports, first by name, then by protocol and number. An exporter serves a merged port only if it has the same
/// name, protocol and number: another port of the same name goes elsewhere at the exporter.
fn merge_ports(oldest_first: &[&Export]) -> Vec<ImportPort> {
    let mut merged: Vec<ImportPort> = Vec::new();
    for export in oldest_first {
        for port in &export.ports {
            let number = |p: &ServicePort| (p.protocol, p.port);
            match merged.iter_mut().find(|m| m.port.name == port.name || number(&m.port) == number(port)) {
                Some(taken) => {
                    let same = taken.port.name == port.name && number(&taken.port) == number(port);
                    if same && taken.clusters.last() != Some(&export.cluster) {
                        taken.clusters.push(export.cluster.clone());
                    }
                }
                None => {
                    merged.push(ImportPort { port: port.clone(), clusters: vec![export.cluster.clone()] })
                }
            }
        }
    }
    merged
}

fn port_set(export: &Export) -> BTreeSet<(Option<&str>, Protocol, u16, Option<&str>)> {
    let key = |p: &'_ ServicePort| (p.protocol, p.port.get());
    export
        .ports
        .iter()
        .map(|p| {
            let (protocol, port) = key(p);
            (p.name.as_ref().map(|n| n.as_str()), protocol, port, p.app_protocol.as_deref())
        })
        .collect()
}

#[cfg(test)]
mod tests;
