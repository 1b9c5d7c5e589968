//! What of an offer the federation has already.

use std::sync::Arc;

use federation_api::content_hash::ContentHash;
use federation_api::federation as wire;
use federation_model::{Bundle, ClusterId, Export, Revision, ServiceId, State};

/// Most exports in one offer.
pub(super) const MAX_OFFERED: usize = 256;

/// What the catalogue has of what was offered: shared, so that nothing is hashed while the catalogue is held.
#[derive(Debug)]
pub(super) struct Present {
    exports: Vec<Option<Arc<Export>>>,
    bundle: Option<Bundle>,
    revision: Revision,
}

impl Present {
    /// Looks up what `cluster` has. `services` are those of the offer, in its order; one that is no name has nothing.
    pub(super) fn look(state: &State, cluster: &ClusterId, services: &[Option<ServiceId>]) -> Self {
        let export = |service: &Option<ServiceId>| state.export(service.as_ref()?, cluster).cloned();
        let domain = state.cluster(cluster).map(|cluster| &cluster.trust_domain);
        Self {
            exports: services.iter().map(export).collect(),
            bundle: domain.and_then(|domain| state.bundle(domain)).cloned(),
            revision: state.revision(),
        }
    }

    /// Compares hashes.
    pub(super) fn compare(&self, offer: &wire::Offer) -> wire::Compared {
        let known = |(present, offered): (&Option<Arc<Export>>, &wire::OfferedExport)| wire::Known {
            generation: present.as_ref().map(|present| present.generation.0),
            same: present
                .as_ref()
                .is_some_and(|present| ContentHash::of_export(present).is(&offered.content_hash)),
        };
        let bundle = self.bundle.as_ref();
        wire::Compared {
            exports: self.exports.iter().zip(&offer.exports).map(known).collect(),
            bundle_same: bundle.is_some_and(|bundle| ContentHash::of_bundle(bundle).is(&offer.bundle_hash)),
            revision: self.revision.0,
        }
    }
}
