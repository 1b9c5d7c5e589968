//! What a new stream offers before it puts anything: hashes, a bounded number at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use federation_api::content_hash::ContentHash;
use federation_api::federation as wire;
use federation_model::{Bundle, Export, ServiceId};

/// Exports in one offer: as many as a server takes.
const OFFERED: usize = 256;

/// The offers of one stream.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// Not said yet, by number.
    waiting: BTreeMap<usize, Vec<ServiceId>>,
    /// Said and not answered, oldest first.
    said: VecDeque<Offered>,
}

/// What one offer was about, as it was then.
#[derive(Debug, Default)]
pub(super) struct Offered {
    pub(super) bundle: Option<Bundle>,
    pub(super) exports: Vec<(ServiceId, Arc<Export>)>,
}

impl Offers {
    /// Offers of these exports; the numbers of the offers. There is at least one, for the bundle.
    pub(super) fn of(services: Vec<ServiceId>) -> (Self, Vec<usize>) {
        let mut waiting: BTreeMap<usize, Vec<ServiceId>> =
            services.chunks(OFFERED).map(<[_]>::to_vec).enumerate().collect();
        waiting.entry(0).or_default();
        let numbers = waiting.keys().copied().collect();
        (Self { waiting, said: VecDeque::new() }, numbers)
    }

    /// Says offer `number`, with what is wanted now. The first speaks of the bundle too.
    pub(super) fn say(
        &mut self,
        number: usize,
        bundle: Option<&Bundle>,
        wanted: impl Fn(&ServiceId) -> Option<Arc<Export>>,
    ) -> wire::Offer {
        let services = self.waiting.remove(&number).unwrap_or_default();
        let exports: Vec<(ServiceId, Arc<Export>)> =
            services.into_iter().filter_map(|id| wanted(&id).map(|export| (id, export))).collect();
        let bundle = bundle.filter(|_| number == 0).cloned();
        let offered = |(id, export): &(ServiceId, Arc<Export>)| wire::OfferedExport {
            service: Some(id.into()),
            content_hash: ContentHash::of_export(export).to_vec(),
        };
        let offer = wire::Offer {
            exports: exports.iter().map(offered).collect(),
            bundle_hash: bundle.as_ref().map(|b| ContentHash::of_bundle(b).to_vec()).unwrap_or_default(),
        };
        self.said.push_back(Offered { bundle, exports });
        offer
    }

    /// The offer that the next answer is about, if any was said.
    pub(super) fn answered(&mut self) -> Option<Offered> {
        self.said.pop_front()
    }

    /// Whether every offer was answered.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.said.is_empty()
    }
}
