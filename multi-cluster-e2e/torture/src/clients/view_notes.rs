//! The events that lead from one whole view to another.

use std::collections::BTreeMap;

use federation_model::{FederationView, Revision, ServiceId, Vip};
use multi_cluster_e2e_history::{Event, Piece, PieceName, Slot, WatcherName, WriteId};

use super::objects::write_of;

/// What of a view is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) exports: BTreeMap<Slot, Option<WriteId>>,
    pub(super) vips: BTreeMap<ServiceId, Vip>,
}

impl Noted {
    pub(super) fn of(view: &FederationView) -> Self {
        let exports = view.exports.iter().flat_map(|(service, exporters)| {
            exporters.iter().map(|(cluster, export)| {
                (Slot { service: service.clone(), cluster: cluster.clone() }, write_of(export))
            })
        });
        Self {
            exports: exports.collect(),
            vips: view.vips.iter().map(|(service, vip)| (service.clone(), *vip)).collect(),
        }
    }

    /// The events from here to `next`, and that this was all at `revision`.
    pub(super) fn to(&self, next: &Self, watcher: &WatcherName, revision: Revision) -> Vec<Event> {
        let mut events = self.upserts(next, watcher);
        let gone = self.exports.keys().filter(|slot| !next.exports.contains_key(*slot)).cloned();
        let vips_gone = self.vips.keys().filter(|service| !next.vips.contains_key(*service)).cloned();
        let names = gone.map(PieceName::Export).chain(vips_gone.map(PieceName::Vip));
        events.extend(names.map(|name| Event::Removed { watcher: watcher.clone(), name }));
        events.push(Event::Progressed { watcher: watcher.clone(), revision });
        events
    }

    /// The upserts of what is in `next` and not here.
    pub(super) fn upserts(&self, next: &Self, watcher: &WatcherName) -> Vec<Event> {
        let vips = next.vips.iter().filter(|(service, vip)| self.vips.get(*service) != Some(vip));
        let vips = vips.map(|(service, vip)| Piece::Vip { service: service.clone(), vip: *vip });
        let exports = next.exports.iter().filter(|(slot, write)| self.exports.get(*slot) != Some(write));
        let exports = exports.map(|(slot, write)| Piece::Export { slot: slot.clone(), write: *write });
        vips.chain(exports).map(|piece| Event::Upserted { watcher: watcher.clone(), piece }).collect()
    }
}
