//! `clusters`: who takes part, and who is alive.

use federation_model::{Cluster, Lease, UnixMillis};
use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::connect::Federation;
use crate::failure::Failure;
use crate::output::{Report, Table, age};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clusters {
    /// The revision at which it is true.
    pub revision: u64,
    /// By id.
    pub clusters: Vec<ClusterLine>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClusterLine {
    /// Its id.
    pub id: String,
    /// Whether its agent is believed alive.
    pub alive: bool,
    /// Milliseconds until its lease runs out, or since it has.
    pub lease_millis: u64,
    /// Its network.
    pub network: String,
    /// Its region.
    pub region: Option<String>,
    /// Its zone.
    pub zone: Option<String>,
    /// The domain of its identities.
    pub trust_domain: String,
    /// How many authorities may sign for that domain.
    pub authorities: usize,
    /// Where others enter it.
    pub gateways: Vec<String>,
    /// How many services it exports.
    pub exports: usize,
}

/// Asks.
pub async fn ask(federation: &Federation) -> Result<Clusters, Failure> {
    Ok(report(&federation.catalogue(None).await?))
}

/// Makes the report.
pub fn report(catalogue: &Catalogue) -> Clusters {
    let line = |cluster: &Cluster| {
        let view = &catalogue.view;
        let (alive, lease_millis) = lease(cluster, catalogue.now);
        ClusterLine {
            id: cluster.id.to_string(),
            alive,
            lease_millis,
            network: cluster.network.to_string(),
            region: cluster.region.as_ref().map(ToString::to_string),
            zone: cluster.zone.as_ref().map(ToString::to_string),
            trust_domain: cluster.trust_domain.to_string(),
            authorities: view.bundles.get(&cluster.trust_domain).map_or(0, |bundle| bundle.authorities.len()),
            gateways: cluster.gateways.iter().map(|gateway| gateway.address.to_string()).collect(),
            exports: view.exports.values().filter(|exporters| exporters.contains_key(&cluster.id)).count(),
        }
    };
    Clusters {
        revision: catalogue.view.revision.0,
        clusters: catalogue.view.clusters.values().map(line).collect(),
    }
}

fn lease(cluster: &Cluster, now: UnixMillis) -> (bool, u64) {
    match cluster.lease {
        Lease::Held { until, .. } => (true, until.since(now)),
        Lease::Expired { at } => (false, now.since(at)),
    }
}

impl Report for Clusters {
    fn to_text(&self) -> String {
        if self.clusters.is_empty() {
            return "No cluster has joined. Make a token for one: isthmus token create --cluster NAME\n"
                .to_owned();
        }
        let headings = ["CLUSTER", "LEASE", "REGION", "ZONE", "TRUST DOMAIN", "CAS", "GATEWAYS", "EXPORTS"];
        let mut table = Table::new(&headings);
        for line in &self.clusters {
            let lease = age(line.lease_millis);
            table.row([
                line.id.clone(),
                if line.alive { format!("held, {lease} left") } else { format!("expired {lease} ago") },
                line.region.clone().unwrap_or_default(),
                line.zone.clone().unwrap_or_default(),
                line.trust_domain.clone(),
                line.authorities.to_string(),
                line.gateways.join(","),
                line.exports.to_string(),
            ]);
        }
        table.to_text()
    }
}
