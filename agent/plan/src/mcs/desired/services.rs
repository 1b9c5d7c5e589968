//! The services that exist for this cluster: what others let it see, and what it offers itself.

use federation_model::{ClusterId, Import, ServiceId, Vip};

use crate::mcs::catalogue::{Exporter, Offered};
use crate::mcs::input::Input;
use crate::mcs::observed::Observed;

/// One service and its exporters.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) id: &'a ServiceId,
    pub(super) vip: Option<&'a Vip>,
    pub(super) import: &'a Import,
    offered: &'a Offered,
}

impl<'a> Service<'a> {
    /// What a cluster offers of it.
    pub(super) fn exporter(&self, cluster: &ClusterId) -> Option<&'a Exporter> {
        self.offered.exporter(cluster)
    }
}

/// Every service with at least one export that counts here, by name.
pub(super) fn services<'a>(input: &'a Input, observed: &Observed) -> Vec<Service<'a>> {
    let there = |id: &ServiceId| observed.exports.get(id).is_some_and(|held| !held.deleting);
    let services = input.catalogue.services.iter().filter_map(|(id, listed)| {
        let unjudged = listed.with_unjudged.as_ref().filter(|_| there(id));
        let offered: &Offered = unjudged.or(listed.offered.as_ref())?;
        Some(Service { id, vip: listed.vip.as_ref(), import: &offered.import, offered })
    });
    services.collect()
}
