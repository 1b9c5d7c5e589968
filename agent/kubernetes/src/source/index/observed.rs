//! What the API server holds of what the controller writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_plan::mcs::Observed;
use agent_plan::mcs::content::{DerivedContent, SliceContent};
use agent_plan::mcs::observed::{Capabilities, Held, HeldImport, ObjectName, Recorded};
use federation_model::{Namespace, ServiceId};

use crate::source::wire::Key;

/// The observed objects. Every method says whether anything changed.
#[derive(Debug, Default)]
pub(in crate::source) struct ObservedIndex {
    view: Observed,
}

impl ObservedIndex {
    pub(in crate::source) fn view(&self) -> &Observed {
        &self.view
    }

    pub(in crate::source) fn set_capabilities(&mut self, capabilities: Capabilities) -> bool {
        let changed = self.view.capabilities != capabilities;
        self.view.capabilities = capabilities;
        changed
    }

    pub(in crate::source) fn set_complete(&mut self, complete: bool) -> bool {
        let changed = self.view.complete != complete;
        self.view.complete = complete;
        changed
    }

    pub(super) fn set_namespace(&mut self, name: Namespace, live: bool) -> bool {
        if live { self.view.namespaces.insert(name) } else { self.view.namespaces.remove(&name) }
    }

    pub(super) fn set_export(&mut self, id: ServiceId, held: Arc<Held<Vec<Recorded>>>) -> bool {
        put(&mut self.view.exports, id, held)
    }

    pub(super) fn remove_export(&mut self, id: &ServiceId) -> bool {
        self.view.exports.remove(id).is_some()
    }

    pub(super) fn set_import(&mut self, id: ServiceId, held: Arc<Held<HeldImport>>) -> bool {
        put(&mut self.view.imports, id, held)
    }

    pub(super) fn remove_import(&mut self, id: &ServiceId) -> bool {
        self.view.imports.remove(id).is_some()
    }

    pub(super) fn set_derived(&mut self, name: ObjectName, held: Arc<Held<DerivedContent>>) -> bool {
        put(&mut self.view.derived, name, held)
    }

    pub(super) fn remove_derived(&mut self, key: &Key) -> bool {
        object_name(key).is_some_and(|name| self.view.derived.remove(&name).is_some())
    }

    pub(super) fn derived_keys(&self) -> impl Iterator<Item = Key> {
        self.view.derived.keys().map(key)
    }

    pub(super) fn set_slice(&mut self, name: ObjectName, held: Arc<Held<SliceContent>>) -> bool {
        put(&mut self.view.slices, name, held)
    }

    pub(super) fn remove_slice(&mut self, key: &Key) -> bool {
        if self.view.slices.is_empty() {
            return false;
        }
        object_name(key).is_some_and(|name| self.view.slices.remove(&name).is_some())
    }

    pub(super) fn slice_keys(&self) -> impl Iterator<Item = Key> {
        self.view.slices.keys().map(key)
    }

    pub(super) fn set_property(&mut self, name: String, held: Arc<Held<String>>) -> bool {
        put(&mut self.view.properties, name, held)
    }

    pub(super) fn remove_property(&mut self, name: &str) -> bool {
        self.view.properties.remove(name).is_some()
    }
}

/// A new version is a change even where the content is the same: it confirms a write.
fn put<K: Ord, T: PartialEq>(map: &mut BTreeMap<K, Arc<Held<T>>>, key: K, held: Arc<Held<T>>) -> bool {
    if map.get(&key).is_some_and(|known| **known == *held) {
        return false;
    }
    map.insert(key, held);
    true
}

fn object_name(key: &Key) -> Option<ObjectName> {
    Some(ObjectName { namespace: key.namespace.parse().ok()?, name: key.name.as_ref().to_owned() })
}

fn key(name: &ObjectName) -> Key {
    Key { namespace: name.namespace.as_str().into(), name: name.name.as_str().into() }
}
