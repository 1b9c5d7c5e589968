//! The services that exist for this cluster: what others let it see, and what it offers itself.

use std::borrow::Cow;
use std::sync::Arc;

use federation_model::{ClusterId, Export, Exporters, Import, ServiceId};

use crate::mcs::input::Input;
use crate::mcs::observed::Observed;

/// One service and its exports.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) id: &'a ServiceId,
    /// In the order of their clusters' names.
    pub(super) exports: Vec<Cow<'a, Export>>,
    pub(super) import: Import,
}

impl Service<'_> {
    pub(super) fn export(&self, cluster: &ClusterId) -> Option<&Export> {
        self.exports.iter().find(|export| &export.cluster == cluster).map(AsRef::as_ref)
    }
}

/// Every service with at least one export that counts here, by name.
pub(super) fn services<'a>(input: &'a Input, observed: &Observed) -> Vec<Service<'a>> {
    let service = |(id, exporters): (&'a ServiceId, &'a Arc<Exporters>)| {
        let exports = exporters.values().filter_map(|export| counts(export, input, observed));
        let exports: Vec<Cow<'a, Export>> = exports.collect();
        let import = Import::merge(exports.iter().map(AsRef::as_ref))?;
        Some(Service { id, exports, import })
    };
    input.view.exports.iter().filter_map(service).collect()
}

/// An export as it counts here. This cluster's own is what it offers now, with the federation's word on its age.
fn counts<'a>(export: &'a Export, input: &'a Input, observed: &Observed) -> Option<Cow<'a, Export>> {
    if export.cluster != input.plan.cluster {
        return export.visible_to(&input.plan.cluster).then_some(Cow::Borrowed(export));
    }
    let local = &input.local;
    if let Some(own) = local.exports.get(&export.service) {
        let (first_seen, generation) = (export.first_seen, export.generation);
        return Some(Cow::Owned(Export { first_seen, generation, ..Export::clone(&own.export) }));
    }
    // Its ServiceExport is there and nobody has judged it yet: what is offered is a step behind what is observed.
    let judged = local.invalid.contains_key(&export.service);
    let there = observed.exports.get(&export.service).is_some_and(|held| !held.deleting);
    (there && !judged).then_some(Cow::Borrowed(export))
}
