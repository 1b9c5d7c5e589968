//! What a set of exports of one service amounts to: the import, merged by KEP-1645, "Constraints and Conflict
//! Resolution". Derived, never stored.

use std::collections::BTreeSet;

use crate::export::{Export, ExportKind, Protocol, ServicePort, SessionAffinity};
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
    /// Exporters of this kind, oldest first. Exporters whose kind lost are not among them.
    pub clusters: Vec<ClusterId>,
    /// What the exporters disagree on.
    pub conflicts: BTreeSet<Conflict>,
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
    /// Session affinity differs.
    SessionAffinityConflict,
    /// Exported labels differ.
    LabelsConflict,
    /// Exported annotations differ.
    AnnotationsConflict,
}

impl Import {
    /// Merges the exports of one service; `None` without any. The order of `exports` does not matter: the oldest
    /// wins, and of two of the same age the cluster first by name.
    pub fn merge<'a>(exports: impl IntoIterator<Item = &'a Export>) -> Option<Self> {
        let mut exports: Vec<&Export> = exports.into_iter().collect();
        exports.sort_by(|a, b| (a.first_seen, &a.cluster).cmp(&(b.first_seen, &b.cluster)));
        let oldest = *exports.first()?;

        let mut conflicts = BTreeSet::new();
        for other in &exports {
            if other.kind != oldest.kind {
                conflicts.insert(Conflict::TypeConflict);
            }
            if port_set(other) != port_set(oldest) {
                conflicts.insert(Conflict::PortConflict);
            }
            if other.session_affinity != oldest.session_affinity {
                conflicts.insert(Conflict::SessionAffinityConflict);
            }
            if other.labels != oldest.labels {
                conflicts.insert(Conflict::LabelsConflict);
            }
            if other.annotations != oldest.annotations {
                conflicts.insert(Conflict::AnnotationsConflict);
            }
        }

        exports.retain(|e| e.kind == oldest.kind);
        Some(Self {
            service: oldest.service.clone(),
            kind: oldest.kind,
            ports: merge_ports(&exports),
            session_affinity: oldest.session_affinity,
            clusters: exports.iter().map(|e| e.cluster.clone()).collect(),
            conflicts,
        })
    }
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
