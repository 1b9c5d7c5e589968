//! [`derive`](super::derive()) with a memory: what it is made from is compared by pointer, and judged again only where
//! that differs.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::ServiceId;
use k8s_openapi::api::core::v1::Service;

use super::{ClusterFacts, derive_one};
use crate::local::{InvalidExport, LocalExport, LocalView};
use crate::objects::{LocalObjects, ServiceExport, Slices};

/// Judges ServiceExports again and again. Gives what [`derive`](super::derive()) would, and the very same export where
/// nothing of it changed.
#[derive(Debug)]
pub struct Deriver {
    facts: ClusterFacts,
    judged: BTreeMap<ServiceId, Judged>,
}

#[derive(Debug)]
struct Judged {
    given: Given,
    verdict: Result<Arc<LocalExport>, InvalidExport>,
}

/// All that one verdict is made from, besides the facts. It holds the objects, so that no address is used again.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) asked: Arc<ServiceExport>,
    pub(super) namespace_exists: bool,
    pub(super) service: Option<Arc<Service>>,
    pub(super) slices: Option<Arc<Slices>>,
}

impl Deriver {
    /// Knows nothing yet.
    pub fn new(facts: ClusterFacts) -> Self {
        Self { facts, judged: BTreeMap::new() }
    }

    /// Judges every ServiceExport.
    pub fn derive(&mut self, objects: &LocalObjects) -> LocalView {
        let mut view = LocalView::default();
        let mut before = std::mem::take(&mut self.judged);
        for (id, asked) in &objects.exports {
            let given = Given::of(id, asked, objects);
            let judged = match before.remove(id) {
                Some(judged) if judged.given.same(&given) => judged,
                other => self.judge(id, given, other),
            };
            match &judged.verdict {
                Ok(export) => drop(view.exports.insert(id.clone(), Arc::clone(export))),
                Err(reason) => drop(view.invalid.insert(id.clone(), reason.clone())),
            }
            self.judged.insert(id.clone(), judged);
        }
        view
    }

    fn judge(&self, id: &ServiceId, given: Given, before: Option<Judged>) -> Judged {
        let verdict = derive_one(id, &given, &self.facts).map(Arc::new);
        // An object that changed in ways that do not matter here changes nothing further on.
        let verdict =
            before.map(|judged| judged.verdict).filter(|before| *before == verdict).unwrap_or(verdict);
        Judged { given, verdict }
    }
}

impl Given {
    fn of(id: &ServiceId, asked: &Arc<ServiceExport>, objects: &LocalObjects) -> Self {
        Self {
            asked: Arc::clone(asked),
            namespace_exists: objects.namespaces.contains(&id.namespace),
            service: objects.services.get(id).cloned(),
            slices: objects.slices.get(id).cloned(),
        }
    }

    fn same(&self, other: &Self) -> bool {
        let Self { asked, namespace_exists, service, slices } = self;
        Arc::ptr_eq(asked, &other.asked)
            && *namespace_exists == other.namespace_exists
            && same_pointer(service.as_ref(), other.service.as_ref())
            && same_pointer(slices.as_ref(), other.slices.as_ref())
    }
}

fn same_pointer<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
