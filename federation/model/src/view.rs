//! The catalogue as one cluster sees it: built from a watch, kept on disk as the last known good, fed to the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::cluster::Cluster;
use crate::export::Export;
use crate::ids::{ClusterId, Revision, ServiceId};
use crate::item::{Item, ItemKey};
use crate::trust_domain::TrustDomain;
use crate::vip::Vip;

/// Everything that one cluster may see, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationView {
    /// The revision up to which this view is complete.
    pub revision: Revision,
    /// Clusters.
    pub clusters: BTreeMap<ClusterId, Cluster>,
    /// Bundles by the domain that they may sign for.
    pub bundles: BTreeMap<TrustDomain, Bundle>,
    /// VIPs.
    pub vips: BTreeMap<ServiceId, Vip>,
    /// Exports by service. A view that follows another shares what did not change with it.
    pub exports: BTreeMap<ServiceId, Arc<Exporters>>,
}

/// The exports of one service, by exporter.
pub type Exporters = BTreeMap<ClusterId, Export>;

impl FederationView {
    /// Adds or replaces one piece.
    pub fn upsert(&mut self, item: Item) {
        match item {
            Item::Cluster(cluster) => {
                self.clusters.insert(cluster.id.clone(), cluster);
            }
            Item::Bundle(bundle) => {
                self.bundles.insert(bundle.trust_domain.clone(), bundle);
            }
            Item::Vip(service, vip) => {
                self.vips.insert(service, vip);
            }
            Item::Export(export) => {
                let exporters = self.exports.entry(export.service.clone()).or_default();
                Arc::make_mut(exporters).insert(export.cluster.clone(), *export);
            }
        }
    }

    /// Takes one piece away. Taking away what is not there is no error: a watch may say so twice.
    pub fn remove(&mut self, key: &ItemKey) {
        match key {
            ItemKey::Cluster(id) => {
                self.clusters.remove(id);
            }
            ItemKey::Bundle(domain) => {
                self.bundles.remove(domain);
            }
            ItemKey::Vip(service) => {
                self.vips.remove(service);
            }
            ItemKey::Export(service, cluster) => {
                if let Some(exporters) = self.exports.get_mut(service) {
                    let exporters = Arc::make_mut(exporters);
                    exporters.remove(cluster);
                    if exporters.is_empty() {
                        self.exports.remove(service);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
