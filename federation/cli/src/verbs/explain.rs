//! `explain SERVICE --from CLUSTER`: why calls go where they go, or go nowhere.
//!
//! Answered from two catalogues: the whole one, and the one that the asking cluster sees. What is in the first and not
//! in the second is what the cluster may not import, and the difference is the explanation.

use federation_model::failover::{Why, rank};
use federation_model::{ClusterId, Export, ExportKind, ExportScope, Import, ServiceId, UnixMillis};
use serde::Serialize;

use super::services::port_text;
use crate::catalogue::Catalogue;
use crate::connect::Federation;
use crate::failure::{Failure, Kind};
use crate::output::{Report, Table, age};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The service's full name.
    pub host: String,
    /// The cluster that asks.
    pub from: String,
    /// The revision at which it is true.
    pub revision: u64,
    /// What becomes of a call.
    pub outcome: Outcome,
    /// Its VIP, as the federation gave it.
    pub vip: Option<String>,
    /// Who exports it, oldest first, visible or not.
    pub exporters: Vec<ExporterLine>,
    /// What the exporters that the cluster sees disagree on, as KEP-1645 names it.
    pub conflicts: Vec<String>,
    /// Per port, in which order the exporters are tried.
    pub ports: Vec<PortOrder>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is answered.
    Reachable,
    /// Nobody exports it.
    NotExported,
    /// It is exported, but not to this cluster.
    OutOfScope,
    /// This cluster may call it, but no endpoint is ready anywhere.
    NothingReady,
}

/// One exporter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExporterLine {
    /// The cluster.
    pub cluster: String,
    /// Whether the asking cluster may import it.
    pub visible: bool,
    /// Who may; absent means all.
    pub scope: Option<Vec<String>>,
    /// Endpoints ready.
    pub ready: u32,
    /// Endpoints.
    pub total: u32,
    /// How long ago it was first exported.
    pub age_millis: u64,
}

/// The order of one port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortOrder {
    /// `http:8080/TCP`.
    pub port: String,
    /// Best first.
    pub order: Vec<Place>,
}

/// One exporter's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Zero is best; clusters of one tier share the traffic.
    pub tier: u8,
    /// The cluster.
    pub cluster: String,
    /// Why it stands there.
    pub why: String,
    /// Where it is entered.
    pub gateways: Vec<String>,
}

/// Asks.
pub async fn ask(
    federation: &Federation,
    service: &ServiceId,
    from: &ClusterId,
) -> Result<Explanation, Failure> {
    let whole = federation.catalogue(None).await?;
    if !whole.view.clusters.contains_key(from) {
        let known: Vec<&str> = whole.view.clusters.keys().map(ClusterId::as_str).collect();
        let cause = format!("no cluster named {from} has joined; there are: {}", known.join(", "));
        return Err(Failure::new(Kind::NotFound, cause).next("list them: isthmus clusters"));
    }
    let seen = federation.catalogue(Some(from)).await?;
    Ok(report(&whole, &seen, service, from))
}

/// Makes the report from the whole catalogue and what `from` sees of it.
pub fn report(whole: &Catalogue, seen: &Catalogue, service: &ServiceId, from: &ClusterId) -> Explanation {
    let mut all: Vec<&Export> =
        whole.view.exports.get(service).into_iter().flat_map(|e| e.values().map(AsRef::as_ref)).collect();
    all.sort_by_key(|export| (export.first_seen, export.cluster.clone()));
    let visible = seen.view.exports.get(service);
    let import = visible.and_then(|exports| Import::merge(exports.values().map(AsRef::as_ref)));
    let line = |export: &&Export| ExporterLine {
        cluster: export.cluster.to_string(),
        visible: visible.is_some_and(|exports| exports.contains_key(&export.cluster)),
        scope: match &export.scope {
            ExportScope::All => None,
            ExportScope::Clusters(named) => Some(named.iter().map(ToString::to_string).collect()),
        },
        ready: export.ready(),
        total: export.total(),
        age_millis: whole.now.since(export.first_seen),
    };
    let headless = import.as_ref().is_some_and(|import| import.kind == ExportKind::Headless);
    Explanation {
        host: service.host(),
        from: from.to_string(),
        revision: seen.view.revision.0,
        outcome: match &import {
            None if all.is_empty() => Outcome::NotExported,
            None => Outcome::OutOfScope,
            Some(_) if visible.is_some_and(|exports| exports.values().all(|e| e.ready() == 0)) => {
                Outcome::NothingReady
            }
            Some(_) => Outcome::Reachable,
        },
        vip: seen.view.vips.get(service).filter(|_| !headless).map(|vip| vip.v4.to_string()),
        exporters: all.iter().map(line).collect(),
        conflicts: import
            .iter()
            .flat_map(|import| import.conflicts.keys())
            .map(|c| c.reason().to_owned())
            .collect(),
        ports: import.iter().flat_map(|import| orders(import, seen, from)).collect(),
    }
}

fn orders(import: &Import, seen: &Catalogue, from: &ClusterId) -> Vec<PortOrder> {
    let order = |port: &federation_model::import::ImportPort| PortOrder {
        port: port_text(&port.port),
        order: rank(from, &seen.view, &import.service, port.port.port)
            .into_iter()
            .map(|place| Place {
                tier: place.tier,
                gateways: gateways(seen, from, &place.cluster),
                cluster: place.cluster.to_string(),
                why: why(&place.why, seen.now),
            })
            .collect(),
    };
    import.ports.iter().map(order).collect()
}

/// The model's words, but with an age where it has a time.
fn why(why: &Why, now: UnixMillis) -> String {
    match why {
        Why::LeaseExpired { at, ready } => {
            format!("lease expired {} ago, {ready} ready when last heard of", age(now.since(*at)))
        }
        other => other.to_string(),
    }
}

/// None for the asking cluster itself: it needs no gateway to reach its own pods.
fn gateways(seen: &Catalogue, from: &ClusterId, exporter: &ClusterId) -> Vec<String> {
    let cluster = seen.view.clusters.get(exporter).filter(|_| exporter != from);
    cluster.into_iter().flat_map(|c| &c.gateways).map(|gateway| gateway.address.to_string()).collect()
}

impl Explanation {
    /// Whether the command ends well: only if a call would be answered.
    pub fn verdict(&self) -> Result<(), Failure> {
        let (host, from) = (&self.host, &self.from);
        match self.outcome {
            Outcome::Reachable => Ok(()),
            Outcome::NotExported => Err(Failure::new(Kind::NotFound, format!("nobody exports {host}"))
                .next("create a ServiceExport of that name in a cluster that has the Service")),
            Outcome::OutOfScope => {
                Err(Failure::new(Kind::Refused, format!("{host} is not exported to {from}"))
                    .next("add the cluster to the annotation isthmus.dev/scope of the ServiceExport"))
            }
            Outcome::NothingReady => {
                Err(Failure::new(Kind::Refused, format!("no endpoint of {host} is ready"))
                    .next("look at the Service's EndpointSlices in the clusters that export it"))
            }
        }
    }
}

impl Report for Explanation {
    fn to_text(&self) -> String {
        let Self { host, from, .. } = self;
        let summary = match self.outcome {
            Outcome::Reachable => format!("{host} can be called from {from}"),
            Outcome::NotExported => format!("{host} is exported by nobody: the name does not exist"),
            Outcome::OutOfScope => {
                format!("{host} is not exported to {from}: there, the name does not exist")
            }
            Outcome::NothingReady => {
                format!("{host} may be called from {from}, but no endpoint of it is ready")
            }
        };
        let mut text = format!("{summary} (revision {})\n", self.revision);
        if let Some(vip) = &self.vip {
            text.push_str(&format!("VIP {vip}\n"));
        }
        if !self.conflicts.is_empty() {
            text.push_str(&format!(
                "Exporters disagree ({}): the oldest export wins\n",
                self.conflicts.join(", ")
            ));
        }
        if !self.exporters.is_empty() {
            let mut table = Table::new(&["EXPORTED BY", "FOR", "READY", "FIRST SEEN", "SEEN BY THE CALLER"]);
            for line in &self.exporters {
                table.row([
                    line.cluster.clone(),
                    line.scope.as_ref().map_or_else(|| "all".to_owned(), |scope| scope.join(",")),
                    format!("{}/{}", line.ready, line.total),
                    format!("{} ago", age(line.age_millis)),
                    if line.visible { "yes" } else { "no: out of scope" }.to_owned(),
                ]);
            }
            text.push('\n');
            text.push_str(&table.to_text());
        }
        for port in &self.ports {
            let mut table = Table::new(&["TIER", "CLUSTER", "WHY", "ENTERED AT"]);
            for place in &port.order {
                let by =
                    if place.cluster == *from { "directly".to_owned() } else { place.gateways.join(",") };
                table.row([place.tier.to_string(), place.cluster.clone(), place.why.clone(), by]);
            }
            text.push_str(&format!("\nPort {}, in this order:\n{}", port.port, table.to_text()));
        }
        text
    }
}
