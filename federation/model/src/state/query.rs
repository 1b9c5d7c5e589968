//! Questions about the state. All are pure reads.

use std::ops::Bound;
use std::sync::Arc;

use super::State;
use crate::audit::Audit;
use crate::bundle::Bundle;
use crate::cluster::{Cluster, Lease};
use crate::export::Export;
use crate::ids::{ClusterId, Incarnation, Revision, ServiceId, SessionNumber, UnixMillis};
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

    /// The life of the federation.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// Whether no batch was ever applied: nothing is known, not even that there is nothing.
    #[must_use]
    pub fn is_pristine(&self) -> bool {
        self.incarnation == Incarnation(0) && Self { revision: self.revision, ..Self::default() } == *self
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
        self.exports.values().flat_map(|exporters| exporters.values().map(AsRef::as_ref))
    }

    /// One cluster's export of one service.
    pub fn export(&self, service: &ServiceId, cluster: &ClusterId) -> Option<&Arc<Export>> {
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
                export.visible_to(cluster).then(|| Item::Export(Arc::clone(export)))
            }
        }
    }

    /// Everything that `cluster` may see, in key order.
    pub fn snapshot_for(&self, cluster: &ClusterId) -> Vec<Item> {
        self.keys_after(None).filter_map(|key| self.visible(cluster, &key)).collect()
    }

    /// The keys of all pieces after `key`, in key order; all of them for none.
    pub fn keys_after(&self, key: Option<&ItemKey>) -> impl Iterator<Item = ItemKey> {
        use ItemKey::{Bundle, Cluster, Export, Vip};
        // For each kind: nothing of it, or what comes after. Kinds follow each other as in `ItemKey`.
        let clusters = match key {
            None => Some(Bound::Unbounded),
            Some(Cluster(id)) => Some(Bound::Excluded(id)),
            Some(Bundle(_) | Vip(_) | Export(..)) => None,
        };
        let bundles = match key {
            None | Some(Cluster(_)) => Some(Bound::Unbounded),
            Some(Bundle(domain)) => Some(Bound::Excluded(domain)),
            Some(Vip(_) | Export(..)) => None,
        };
        let vips = match key {
            None | Some(Cluster(_) | Bundle(_)) => Some(Bound::Unbounded),
            Some(Vip(service)) => Some(Bound::Excluded(service)),
            Some(Export(..)) => None,
        };
        let (begun, exports) = match key {
            None | Some(Cluster(_) | Bundle(_) | Vip(_)) => (None, Bound::Unbounded),
            Some(Export(service, cluster)) => (Some((service, cluster)), Bound::Excluded(service)),
        };
        let clusters = clusters.into_iter().flat_map(|after| self.clusters.range((after, Bound::Unbounded)));
        let bundles = bundles.into_iter().flat_map(|after| self.bundles.range((after, Bound::Unbounded)));
        let vips = vips.into_iter().flat_map(|after| self.vips.after(after));
        let begun = begun.into_iter().flat_map(|(service, cluster)| {
            let exporters = self.exports.get(service).into_iter();
            exporters.flat_map(move |all| all.range((Bound::Excluded(cluster), Bound::Unbounded)))
        });
        let exports = self.exports.after(exports).flat_map(|(_, exporters)| exporters);
        let exports =
            begun.chain(exports).map(|(_, export)| Export(export.service.clone(), export.cluster.clone()));
        let clusters = clusters.map(|(id, _)| Cluster(id.clone()));
        let bundles = bundles.map(|(domain, _)| Bundle(domain.clone()));
        clusters.chain(bundles).chain(vips.map(|(service, _)| Vip(service.clone()))).chain(exports)
    }

    /// The exports of one service, by exporter.
    pub fn exports_of(&self, service: &ServiceId) -> impl Iterator<Item = &Export> {
        self.exports.get(service).into_iter().flat_map(|exporters| exporters.values().map(AsRef::as_ref))
    }

    fn service_visible(&self, cluster: &ClusterId, service: &ServiceId) -> bool {
        self.exports_of(service).any(|e| e.visible_to(cluster))
    }
}
