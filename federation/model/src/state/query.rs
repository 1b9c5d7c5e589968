//! Questions about the state. All are pure reads.

use super::State;
use crate::audit::Audit;
use crate::bundle::Bundle;
use crate::cluster::{Cluster, Lease};
use crate::export::Export;
use crate::ids::{ClusterId, Revision, ServiceId, SessionNumber, UnixMillis};
use crate::item::{Item, ItemKey};
use crate::session::Session;
use crate::token::{JoinToken, TokenHash};
use crate::trust_domain::TrustDomain;
use crate::vip::{Vip, VipRanges};

impl State {
    /// The last entry applied.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Who changed what.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// The clusterset's time at the last entry.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// The ranges that VIPs are given from.
    pub fn vip_ranges(&self) -> VipRanges {
        self.vip_ranges
    }

    /// One cluster.
    pub fn cluster(&self, id: &ClusterId) -> Option<&Cluster> {
        self.clusters.get(id)
    }

    /// All clusters, by id.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// The publish stream that speaks for a cluster, once one did.
    pub fn session(&self, cluster: &ClusterId) -> Option<&Session> {
        self.sessions.get(cluster)
    }

    /// The number of the present session of a cluster; zero before its first.
    pub fn session_number(&self, cluster: &ClusterId) -> SessionNumber {
        self.sessions.get(cluster).map_or(SessionNumber(0), |session| session.number)
    }

    /// All exports, by service, then exporter.
    pub fn exports(&self) -> impl Iterator<Item = &Export> {
        self.exports.values().flat_map(|exporters| exporters.values())
    }

    /// One cluster's export of one service.
    pub fn export(&self, service: &ServiceId, cluster: &ClusterId) -> Option<&Export> {
        self.exports.get(service)?.get(cluster)
    }

    /// All bundles, by trust domain.
    pub fn bundles(&self) -> impl Iterator<Item = &Bundle> {
        self.bundles.values()
    }

    /// The bundle of one trust domain.
    pub fn bundle(&self, domain: &TrustDomain) -> Option<&Bundle> {
        self.bundles.get(domain)
    }

    /// All VIPs given, by service.
    pub fn vips(&self) -> impl Iterator<Item = (&ServiceId, &Vip)> {
        self.vips.iter()
    }

    /// The VIP of one service.
    pub fn vip(&self, service: &ServiceId) -> Option<&Vip> {
        self.vips.get(service)
    }

    /// All join tokens, used ones included.
    pub fn tokens(&self) -> impl Iterator<Item = &JoinToken> {
        self.tokens.values()
    }

    /// One join token.
    pub fn token(&self, hash: &TokenHash) -> Option<&JoinToken> {
        self.tokens.get(hash)
    }

    /// When the next lease runs out, if any is held: the leader proposes `ExpireLeases` then.
    pub fn next_lease_due(&self) -> Option<UnixMillis> {
        let due = |cluster: &Cluster| match cluster.lease {
            Lease::Held { until, .. } => Some(until),
            Lease::Expired { .. } => None,
        };
        self.clusters.values().filter_map(due).min()
    }

    /// The present value of one piece, if it is there and `cluster` may see it. Clusters and bundles are seen by all
    /// members; exports by their scope; a VIP by whoever sees an export of its service.
    pub fn visible(&self, cluster: &ClusterId, key: &ItemKey) -> Option<Item> {
        match key {
            ItemKey::Cluster(id) => self.clusters.get(id).cloned().map(Item::Cluster),
            ItemKey::Bundle(domain) => self.bundles.get(domain).cloned().map(Item::Bundle),
            ItemKey::Vip(service) => {
                let vip = self.vips.get(service)?;
                self.service_visible(cluster, service).then(|| Item::Vip(service.clone(), *vip))
            }
            ItemKey::Export(service, exporter) => {
                let export = self.export(service, exporter)?;
                export.visible_to(cluster).then(|| Item::Export(Box::new(export.clone())))
            }
        }
    }

    /// Everything that `cluster` may see, in key order.
    pub fn snapshot_for(&self, cluster: &ClusterId) -> Vec<Item> {
        let clusters = self.clusters.keys().cloned().map(ItemKey::Cluster);
        let bundles = self.bundles.keys().cloned().map(ItemKey::Bundle);
        let vips = self.vips.keys().cloned().map(ItemKey::Vip);
        let exports = self.exports().map(|e| ItemKey::Export(e.service.clone(), e.cluster.clone()));
        let keys = clusters.chain(bundles).chain(vips).chain(exports);
        keys.filter_map(|key| self.visible(cluster, &key)).collect()
    }

    /// The exports of one service, by exporter.
    pub fn exports_of(&self, service: &ServiceId) -> impl Iterator<Item = &Export> {
        self.exports.get(service).into_iter().flat_map(|exporters| exporters.values())
    }

    fn service_visible(&self, cluster: &ClusterId, service: &ServiceId) -> bool {
        self.exports_of(service).any(|e| e.visible_to(cluster))
    }
}
