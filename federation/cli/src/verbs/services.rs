//! `services`: what can be called in the clusterset, and who offers it.

use federation_model::{ExportKind, ExportScope, Import, MtlsMode, ServiceId, ServicePort};
use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Services {
    /// The revision at which it is true.
    pub revision: u64,
    /// By namespace and name.
    pub services: Vec<ServiceLine>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceLine {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `clusterset-ip` or `headless`; absent when nobody exports it any more.
    pub kind: Option<&'static str>,
    /// Its VIP, IPv4; absent if it is headless.
    pub vip: Option<String>,
    /// `80/TCP`, with the name in front if it has one.
    pub ports: Vec<String>,
    /// Who exports it, oldest first.
    pub exporters: Vec<Exporter>,
    /// What the exporters disagree on, as KEP-1645 names it.
    pub conflicts: Vec<String>,
}

/// One cluster's offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exporter {
    /// The cluster.
    pub cluster: String,
    /// Endpoints ready.
    pub ready: u32,
    /// Endpoints.
    pub total: u32,
    /// `Gateway` or `EndToEnd`.
    pub mtls: &'static str,
    /// Who may import it; absent means all.
    pub scope: Option<Vec<String>>,
}

/// Asks.
pub async fn ask(federation: &Federation) -> Result<Services, Failure> {
    Ok(report(&federation.catalogue(None).await?))
}

/// Makes the report.
pub fn report(catalogue: &Catalogue) -> Services {
    let services = catalogue.services().into_iter().map(|id| line(catalogue, id)).collect();
    Services { revision: catalogue.view.revision.0, services }
}

fn line(catalogue: &Catalogue, id: &ServiceId) -> ServiceLine {
    let exports = catalogue.view.exports.get(id);
    let import = exports.and_then(|exports| Import::merge(exports.values().map(AsRef::as_ref)));
    let headless = import.as_ref().is_some_and(|import| import.kind == ExportKind::Headless);
    let vip = catalogue.view.vips.get(id).filter(|_| !headless);
    let mut oldest_first: Vec<_> =
        exports.into_iter().flat_map(|exports| exports.values().map(AsRef::as_ref)).collect();
    oldest_first.sort_by_key(|export| (export.first_seen, export.cluster.clone()));
    let exporter = |export: &federation_model::Export| Exporter {
        cluster: export.cluster.to_string(),
        ready: export.ready(),
        total: export.total(),
        mtls: match export.mtls {
            MtlsMode::Gateway => "Gateway",
            MtlsMode::EndToEnd { .. } => "EndToEnd",
        },
        scope: match &export.scope {
            ExportScope::All => None,
            ExportScope::Clusters(named) => Some(named.iter().map(ToString::to_string).collect()),
        },
    };
    ServiceLine {
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        kind: import.as_ref().map(|_| if headless { "headless" } else { "clusterset-ip" }),
        vip: vip.map(|vip| vip.v4.to_string()),
        ports: import.iter().flat_map(|import| &import.ports).map(|port| port_text(&port.port)).collect(),
        exporters: oldest_first.into_iter().map(exporter).collect(),
        conflicts: import
            .iter()
            .flat_map(|import| import.conflicts.keys())
            .map(|c| c.reason().to_owned())
            .collect(),
    }
}

/// `http:8080/TCP`, or without the name if it has none.
pub fn port_text(port: &ServicePort) -> String {
    let protocol = port.protocol.as_str();
    match &port.name {
        Some(name) => format!("{name}:{}/{protocol}", port.port),
        None => format!("{}/{protocol}", port.port),
    }
}

impl Report for Services {
    fn to_text(&self) -> String {
        if self.services.is_empty() {
            return "Nothing is exported. A ServiceExport in a cluster exports the Service of the same name.\n".to_owned();
        }
        let mut table =
            Table::new(&["SERVICE", "VIP", "PORTS", "EXPORTED BY (READY/ALL)", "SCOPE", "CONFLICTS"]);
        for line in &self.services {
            let vip = match (line.kind, &line.vip) {
                (Some("headless"), _) => "headless".to_owned(),
                (_, vip) => vip.clone().unwrap_or_default(),
            };
            let by = |e: &Exporter| {
                let mode = if e.mtls == "Gateway" { String::new() } else { format!(" {}", e.mtls) };
                format!("{} {}/{}{mode}", e.cluster, e.ready, e.total)
            };
            let scopes = line
                .exporters
                .iter()
                .filter_map(|e| Some(format!("{}: {}", e.cluster, e.scope.as_ref()?.join(","))));
            let scopes: Vec<String> = scopes.collect();
            table.row([
                format!("{}.{}", line.name, line.namespace),
                vip,
                line.ports.join(" "),
                line.exporters.iter().map(by).collect::<Vec<_>>().join(", "),
                if scopes.is_empty() && !line.exporters.is_empty() {
                    "all".to_owned()
                } else {
                    scopes.join("; ")
                },
                line.conflicts.join(" "),
            ]);
        }
        table.to_text()
    }
}
