//! The catalogue as one cluster sees it: built from a watch, kept on disk as the last known good, fed to the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::cluster::Cluster;
use crate::export::Export;
use crate::ids::{ClusterId, Incarnation, Revision, ServiceId};
use crate::item::{Item, ItemKey};
use crate::shared_map::SharedMap;
use crate::trust_domain::TrustDomain;
use crate::vip::Vip;

/// Everything that one cluster may see, at one revision. A view that follows another shares with it what did not change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationView {
    /// The revision up to which this view is complete.
    pub revision: Revision,
    /// The life of the federation that it is of.
    #[serde(default)]
    pub incarnation: Incarnation,
    /// Clusters.
    pub clusters: SharedMap<ClusterId, Cluster>,
    /// Bundles by the domain that they may sign for.
    pub bundles: SharedMap<TrustDomain, Bundle>,
    /// VIPs.
    pub vips: SharedMap<ServiceId, Vip>,
    /// Exports by service.
    pub exports: SharedMap<ServiceId, Arc<Exporters>>,
}

/// The exports of one service, by exporter.
pub type Exporters = BTreeMap<ClusterId, Arc<Export>>;

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
                let exporters = self.exports.get_or_insert_with(&export.service, Arc::default);
                Arc::make_mut(exporters).insert(export.cluster.clone(), export);
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
