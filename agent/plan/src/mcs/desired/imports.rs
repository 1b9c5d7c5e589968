//! ServiceImports (KEP-1645, "Importing Services").

use std::net::IpAddr;

use federation_model::{ClusterId, ExportKind, IpFamily};

use super::DesiredImport;
use super::services::Service;
use crate::mcs::content::{Condition, ConditionKind, ConditionStatus, ImportContent, ImportStatus};
use crate::mcs::input::Input;
use crate::mcs::metadata;
use crate::mcs::observed::{Capabilities, ImportField};

/// Most exporters that a message names.
const NAMED_EXPORTERS: usize = 8;

pub(super) fn import(service: &Service<'_>, input: &Input, capabilities: &Capabilities) -> DesiredImport {
    let merged = service.import;
    let (families, ips) = match merged.kind {
        ExportKind::Headless => (headless_families(service, input), Vec::new()),
        ExportKind::ClusterSetIp => vips(service, input).into_iter().unzip(),
    };
    let ready = ready(service, &families);
    let has = |field: ImportField| !capabilities.import_lacks.contains(&field);
    let content = ImportContent {
        kind: merged.kind,
        ports: merged.ports.iter().map(|merged| merged.port.clone()).collect(),
        families: if has(ImportField::IpFamilies) { families } else { Vec::new() },
        ips,
        session_affinity: merged.session_affinity,
        internal_traffic_policy: Some(merged.internal_traffic_policy)
            .filter(|_| has(ImportField::InternalTrafficPolicy))
            .unwrap_or_default(),
        traffic_distribution: merged
            .traffic_distribution
            .clone()
            .filter(|_| has(ImportField::TrafficDistribution)),
        labels: metadata::carried_labels(&merged.labels),
        annotations: metadata::carried_annotations(&merged.annotations),
    };
    let status = ImportStatus {
        clusters: merged.exporters.iter().cloned().collect(),
        ready,
        slices_present: capabilities.import_slices_field.then_some(true),
    };
    DesiredImport { content, status }
}

/// The VIPs in families that this cluster uses, best first: `ips` and `ipFamilies` correspond (KEP-1645).
fn vips(service: &Service<'_>, input: &Input) -> Vec<(IpFamily, IpAddr)> {
    let Some(vip) = service.vip else { return Vec::new() };
    let addresses = input.plan.vip_view.addresses(vip);
    let of = |family: &IpFamily| addresses.iter().find(|address| IpFamily::of(**address) == *family);
    input.families.iter().filter_map(|family| Some((*family, *of(family)?))).collect()
}

/// Families of the exporters whose kind won. Where none of them says, those of their endpoints; and where there are
/// none of those either, all that this cluster uses.
fn headless_families(service: &Service<'_>, input: &Input) -> Vec<IpFamily> {
    let exporters = || service.import.clusters.iter().filter_map(|cluster| service.exporter(cluster));
    let stated = |family: &IpFamily| exporters().any(|exporter| exporter.ip_families.contains(family));
    let served = |family: &IpFamily| {
        exporters().any(|e| e.endpoints.iter().any(|endpoint| IpFamily::of(endpoint.address) == *family))
    };
    let those = |has: &dyn Fn(&IpFamily) -> bool| input.families.iter().copied().filter(has).collect();
    if exporters().any(|exporter| !exporter.ip_families.is_empty()) {
        those(&stated)
    } else if exporters().any(|exporter| !exporter.endpoints.is_empty()) {
        those(&served)
    } else {
        input.families.clone()
    }
}

/// The condition `Ready`. Its message names the exporters, so that it differs whenever `status.clusters` does: that
/// tells an exporter that we should take away from one that somebody else put there.
fn ready(service: &Service<'_>, families: &[IpFamily]) -> Condition {
    let waiting = service.import.kind == ExportKind::ClusterSetIp && service.vip.is_none();
    let (status, reason, message) = if waiting {
        (ConditionStatus::False, "Pending", "The federation has not given it an address yet. ")
    } else if families.is_empty() {
        let message = "It has no address in an IP family that this cluster uses. ";
        (ConditionStatus::False, "IPFamilyNotSupported", message)
    } else {
        (ConditionStatus::True, "Ready", "")
    };
    Condition {
        kind: ConditionKind::Ready,
        status,
        reason: reason.to_owned(),
        message: format!("{message}Exported by {}.", named(&service.import.exporters)),
    }
}

/// `east, west and 3 more`, by name.
fn named(clusters: &[ClusterId]) -> String {
    let mut names: Vec<&str> = clusters.iter().map(ClusterId::as_str).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(NAMED_EXPORTERS);
    names.truncate(NAMED_EXPORTERS);
    let listed = names.join(", ");
    if more > 0 { format!("{listed} and {more} more") } else { listed }
}
