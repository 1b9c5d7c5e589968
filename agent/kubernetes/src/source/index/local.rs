//! The cluster's own objects: everything in a compact form, and of what is exported the objects themselves.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use agent_plan::LocalObjects;
use agent_plan::objects::{ServiceExport, Slices};
use federation_model::{Namespace, ServiceId};
use k8s_openapi::api::core::v1::Service;

use super::key_of;
use crate::source::wire::{Key, LeanSlice};

/// The slices of one service, by name.
type LeanSlices = BTreeMap<Arc<str>, LeanSlice>;

/// Every Service and EndpointSlice that is not ours, and the part of them that a ServiceExport refers to.
///
/// Holds: `objects` has a Service and its slices if, and only if, it has an export of the same name.
#[derive(Debug, Default)]
pub(in crate::source) struct LocalIndex {
    services: HashMap<ServiceId, Arc<Service>>,
    slices: HashMap<ServiceId, LeanSlices>,
    /// Which service a slice is of: a deletion does not say, and the label may change.
    slice_services: HashMap<Key, ServiceId>,
    objects: LocalObjects,
}

impl LocalIndex {
    /// As an earlier run left it. Each kind is replaced by the first list of it.
    pub(super) fn of_earlier(objects: &LocalObjects) -> Self {
        let mut index = Self { objects: objects.clone(), ..Self::default() };
        index.services = objects.services.iter().map(|(id, one)| (id.clone(), Arc::clone(one))).collect();
        for (service, slices) in &objects.slices {
            for (name, slice) in slices.iter() {
                let name: Arc<str> = name.as_str().into();
                let key = Key { namespace: service.namespace.as_str().into(), name: Arc::clone(&name) };
                index.slice_services.insert(key, service.clone());
                index.slices.entry(service.clone()).or_default().insert(name, LeanSlice::freeze(slice));
            }
        }
        index
    }

    /// What is published. What did not change is shared with what was published before.
    pub(in crate::source) fn objects(&self) -> &LocalObjects {
        &self.objects
    }

    pub(super) fn set_namespace(&mut self, name: &Namespace, live: bool) -> bool {
        if live { self.objects.namespaces.insert(name.clone()) } else { self.objects.namespaces.remove(name) }
    }

    pub(super) fn set_export(&mut self, id: ServiceId, asked: Arc<ServiceExport>) -> bool {
        if self.objects.exports.get(&id) == Some(&asked) {
            return false;
        }
        if self.objects.exports.insert(id.clone(), asked).is_none() {
            if let Some(service) = self.services.get(&id) {
                self.objects.services.insert(id.clone(), Arc::clone(service));
            }
            if let Some(slices) = self.slices.get(&id) {
                self.objects.slices.insert(id.clone(), Arc::new(thawed(&id, slices)));
            }
        }
        true
    }

    pub(super) fn remove_export(&mut self, id: &ServiceId) -> bool {
        let known = self.objects.exports.remove(id).is_some();
        self.objects.services.remove(id);
        self.objects.slices.remove(id);
        known
    }

    pub(super) fn set_service(&mut self, id: ServiceId, service: Arc<Service>) -> bool {
        let exported = self.objects.exports.contains_key(&id);
        match self.services.entry(id.clone()) {
            Entry::Occupied(known) if **known.get() == *service => return false,
            Entry::Occupied(mut known) => drop(known.insert(Arc::clone(&service))),
            Entry::Vacant(free) => drop(free.insert(Arc::clone(&service))),
        }
        if exported {
            self.objects.services.insert(id, service);
        }
        exported
    }

    pub(super) fn remove_service(&mut self, id: &ServiceId) -> bool {
        self.services.remove(id);
        self.objects.services.remove(id).is_some()
    }

    pub(super) fn set_slice(&mut self, key: &Key, service: ServiceId, lean: LeanSlice) -> bool {
        let moved = match self.slice_services.get(key) {
            Some(before) if *before == service => false,
            _ => {
                let moved = self.remove_slice(key);
                self.slice_services.insert(key.clone(), service.clone());
                moved
            }
        };
        let slices = self.slices.entry(service.clone()).or_default();
        if slices.get(&key.name) == Some(&lean) {
            return moved;
        }
        let exported = self.objects.exports.contains_key(&service);
        if exported {
            let thawed = Arc::new(lean.thaw(Some((&key.namespace, &key.name))));
            let published = self.objects.slices.entry(service).or_default();
            Arc::make_mut(published).insert(key.name.as_ref().to_owned(), thawed);
        }
        slices.insert(Arc::clone(&key.name), lean);
        exported || moved
    }

    pub(super) fn remove_slice(&mut self, key: &Key) -> bool {
        let Some(service) = self.slice_services.remove(key) else { return false };
        if let Some(slices) = self.slices.get_mut(&service) {
            slices.remove(&key.name);
            if slices.is_empty() {
                self.slices.remove(&service);
            }
        }
        let Some(published) = self.objects.slices.get_mut(&service) else { return false };
        let slices = Arc::make_mut(published);
        let known = slices.remove(key.name.as_ref()).is_some();
        if slices.is_empty() {
            self.objects.slices.remove(&service);
        }
        known
    }

    pub(super) fn namespaces(&self) -> usize {
        self.objects.namespaces.len()
    }

    pub(super) fn services(&self) -> usize {
        self.services.len()
    }

    pub(super) fn slices(&self) -> usize {
        self.slice_services.len()
    }

    pub(super) fn service_keys(&self) -> impl Iterator<Item = Key> {
        self.services.keys().map(key_of)
    }

    pub(super) fn slice_keys(&self) -> impl Iterator<Item = Key> {
        self.slice_services.keys().cloned()
    }

    /// The namespaces in which anything is known to be.
    pub(in crate::source) fn inhabited(&self) -> impl Iterator<Item = &Namespace> {
        self.services.keys().chain(self.objects.exports.keys()).map(|id| &id.namespace)
    }
}

fn thawed(id: &ServiceId, slices: &LeanSlices) -> Slices {
    let namespace = id.namespace.as_str();
    slices
        .iter()
        .map(|(name, slice)| (name.as_ref().to_owned(), Arc::new(slice.thaw(Some((namespace, name))))))
        .collect()
}
