//! The catalogue as a server hands it out.

use std::collections::BTreeSet;

use federation_model::{FederationView, ServiceId, UnixMillis};

/// The catalogue, whole or as one cluster sees it, and the time by the leader's clock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// What is in it.
    pub view: FederationView,
    /// When it was read, by the leader's clock: ages are counted from here.
    pub now: UnixMillis,
}

impl Catalogue {
    /// The services that are exported, and those that only have a VIP any more.
    pub fn services(&self) -> BTreeSet<&ServiceId> {
        self.view.exports.keys().chain(self.view.vips.keys()).collect()
    }
}
