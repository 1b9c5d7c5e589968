//! Everything that is known of the API server, and what of it is published. Pure: no clock, no socket.
//!
//! Whatever the order in which changes of different kinds arrive, the result is that of a fresh list of all of them.
//!
//! Reading order: [`local`] (what is exported) → [`observed`] (what we wrote) → [`gateways`] (how we are reached) →
//! [`problems`] (what could not be read).

mod gateways;
mod local;
mod observed;
mod problems;

use std::collections::BTreeSet;
use std::sync::Arc;

use agent_plan::LocalObjects;
use agent_plan::mcs::Observed;
use federation_model::ServiceId;

pub(super) use gateways::GatewayIndex;
pub(super) use local::LocalIndex;
pub(super) use observed::ObservedIndex;
pub(super) use problems::ObjectProblems;

use super::kind::Kind;
use super::message::{Change, Update};
use super::wire::{
    ExportItem, ImportItem, Item, Key, NamespaceItem, NodeItem, PropertyItem, ServiceItem, SliceItem, Wire,
};

/// What a change touched, and so what must be published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) local: bool,
    pub(super) observed: bool,
    pub(super) gateways: bool,
    pub(super) problems: bool,
}

impl Touched {
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            local: self.local || other.local,
            observed: self.observed || other.observed,
            gateways: self.gateways || other.gateways,
            problems: self.problems || other.problems,
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) local: LocalIndex,
    pub(super) observed: ObservedIndex,
    pub(super) gateways: GatewayIndex,
    pub(super) problems: ObjectProblems,
}

/// How a kind's objects get in and out of the index.
trait Indexed: Wire {
    fn set(index: &mut Index, key: &Key, item: Self) -> Touched;
    fn remove(index: &mut Index, key: &Key) -> Touched;
    /// The keys of everything of the kind.
    fn keys(index: &Index) -> BTreeSet<Key>;
}

impl Index {
    /// An index that knows what an earlier run knew of this cluster's own objects.
    pub(super) fn new(gateway_service: Option<ServiceId>, earlier: Option<&LocalObjects>) -> Self {
        Self {
            local: earlier.map(LocalIndex::of_earlier).unwrap_or_default(),
            observed: ObservedIndex::default(),
            gateways: GatewayIndex::new(gateway_service),
            problems: ObjectProblems::default(),
        }
    }

    /// Takes in a change.
    pub(super) fn apply(&mut self, update: Update) -> Touched {
        match update {
            Update::Namespaces(change) => self.change(change),
            Update::Services(change) => self.change(change),
            Update::EndpointSlices(change) => self.change(change),
            Update::ServiceExports(change) => self.change(change),
            Update::ServiceImports(change) => self.change(change),
            Update::ClusterProperties(change) => self.change(change),
            Update::Nodes(change) => self.change(change),
        }
    }

    /// Forgets a kind that is not there any more.
    pub(super) fn forget(&mut self, kind: Kind) -> Touched {
        match kind {
            Kind::Namespaces => self.change::<NamespaceItem>(Change::Replace(Vec::new())),
            Kind::Services => self.change::<ServiceItem>(Change::Replace(Vec::new())),
            Kind::EndpointSlices => self.change::<SliceItem>(Change::Replace(Vec::new())),
            Kind::ServiceExports => self.change::<ExportItem>(Change::Replace(Vec::new())),
            Kind::ServiceImports => self.change::<ImportItem>(Change::Replace(Vec::new())),
            Kind::ClusterProperties => self.change::<PropertyItem>(Change::Replace(Vec::new())),
            Kind::Nodes => self.change::<NodeItem>(Change::Replace(Vec::new())),
        }
    }

    fn change<T: Indexed>(&mut self, change: Change<T>) -> Touched {
        match change {
            Change::Set(item) => self.set(item),
            Change::Remove(key) => self.remove::<T>(&key),
            Change::Replace(items) => {
                let mut gone = T::keys(self);
                gone.extend(self.problems.keys(T::KIND));
                let mut touched = Touched::default();
                for item in items {
                    gone.remove(&item.key);
                    touched = touched.and(self.set(item));
                }
                gone.iter().fold(touched, |touched, key| touched.and(self.remove::<T>(key)))
            }
        }
    }

    /// An object that cannot be read counts as it was before.
    fn set<T: Indexed>(&mut self, Item { key, read }: Item<T>) -> Touched {
        match read {
            Ok(item) => {
                let problems = self.problems.clear(T::KIND, &key);
                T::set(self, &key, item).and(Touched { problems, ..Touched::default() })
            }
            Err(message) => {
                let problems = self.problems.set(T::KIND, &key, message);
                Touched { problems, ..Touched::default() }
            }
        }
    }

    fn remove<T: Indexed>(&mut self, key: &Key) -> Touched {
        let problems = self.problems.clear(T::KIND, key);
        T::remove(self, key).and(Touched { problems, ..Touched::default() })
    }

    /// How many objects of a kind are held.
    pub(super) fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Namespaces => self.local.namespaces(),
            Kind::Services => self.local.services() + self.observed.view().derived.len(),
            Kind::EndpointSlices => self.local.slices() + self.observed.view().slices.len(),
            Kind::ServiceExports => self.observed.view().exports.len(),
            Kind::ServiceImports => self.observed.view().imports.len(),
            Kind::ClusterProperties => self.observed.view().properties.len(),
            Kind::Nodes => self.gateways.nodes(),
        }
    }

    /// What the API server holds of ours.
    pub(super) fn view(&self) -> &Observed {
        self.observed.view()
    }
}

fn local(local: bool) -> Touched {
    Touched { local, ..Touched::default() }
}

fn observed(observed: bool) -> Touched {
    Touched { observed, ..Touched::default() }
}

impl Indexed for NamespaceItem {
    fn set(index: &mut Index, _: &Key, item: Self) -> Touched {
        let Self { name, live } = item;
        let changed = index.local.set_namespace(&name, live);
        local(changed).and(observed(index.observed.set_namespace(name, live)))
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        let Ok(name) = key.name.parse() else { return Touched::default() };
        let changed = index.local.set_namespace(&name, false);
        local(changed).and(observed(index.observed.set_namespace(name, false)))
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        let names = index.local.objects().namespaces.iter();
        names.map(|name| Key { namespace: "".into(), name: name.as_str().into() }).collect()
    }
}

impl Indexed for ServiceItem {
    fn set(index: &mut Index, key: &Key, item: Self) -> Touched {
        let Self { id, theirs, held } = item;
        let seen = match held {
            Some((name, held)) => index.observed.set_derived(name, held),
            None => index.observed.remove_derived(key),
        };
        let gateways = index.gateways.set_service(&id, theirs.as_ref());
        let changed = match theirs {
            Some((service, _)) => index.local.set_service(id, service),
            None => index.local.remove_service(&id),
        };
        Touched { local: changed, observed: seen, gateways, problems: false }
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        let seen = index.observed.remove_derived(key);
        let Some(id) = service_id(key) else { return observed(seen) };
        let gateways = index.gateways.set_service(&id, None);
        Touched { local: index.local.remove_service(&id), observed: seen, gateways, problems: false }
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        index.local.service_keys().chain(index.observed.derived_keys()).collect()
    }
}

impl Indexed for SliceItem {
    fn set(index: &mut Index, key: &Key, item: Self) -> Touched {
        let Self { theirs, held } = item;
        let seen = match held {
            Some((name, held)) => index.observed.set_slice(name, held),
            None => index.observed.remove_slice(key),
        };
        let gateways = index.gateways.set_slice(key, theirs.as_ref());
        let changed = match theirs {
            Some((service, lean)) => index.local.set_slice(key, service, lean.without_nodes()),
            None => index.local.remove_slice(key),
        };
        Touched { local: changed, observed: seen, gateways, problems: false }
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        let gateways = index.gateways.set_slice(key, None);
        let seen = index.observed.remove_slice(key);
        Touched { local: index.local.remove_slice(key), observed: seen, gateways, problems: false }
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        index.local.slice_keys().chain(index.observed.slice_keys()).collect()
    }
}

impl Indexed for ExportItem {
    fn set(index: &mut Index, _: &Key, item: Self) -> Touched {
        let Self { id, asked, held } = item;
        // From the moment somebody asks for its deletion nothing is exported, whatever finalizers it waits for.
        let changed = if held.deleting {
            index.local.remove_export(&id)
        } else {
            index.local.set_export(id.clone(), asked)
        };
        local(changed).and(observed(index.observed.set_export(id, held)))
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        let Some(id) = service_id(key) else { return Touched::default() };
        local(index.local.remove_export(&id)).and(observed(index.observed.remove_export(&id)))
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        let ids = index.local.objects().exports.keys().chain(index.view().exports.keys());
        ids.map(key_of).collect()
    }
}

impl Indexed for ImportItem {
    fn set(index: &mut Index, _: &Key, item: Self) -> Touched {
        observed(index.observed.set_import(item.id, item.held))
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        observed(service_id(key).is_some_and(|id| index.observed.remove_import(&id)))
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        index.view().imports.keys().map(key_of).collect()
    }
}

impl Indexed for PropertyItem {
    fn set(index: &mut Index, _: &Key, item: Self) -> Touched {
        observed(index.observed.set_property(item.name, item.held))
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        observed(index.observed.remove_property(&key.name))
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        let names = index.view().properties.keys();
        names.map(|name| Key { namespace: "".into(), name: name.as_str().into() }).collect()
    }
}

impl Indexed for NodeItem {
    fn set(index: &mut Index, _: &Key, item: Self) -> Touched {
        Touched { gateways: index.gateways.set_node(item), ..Touched::default() }
    }

    fn remove(index: &mut Index, key: &Key) -> Touched {
        Touched { gateways: index.gateways.remove_node(&key.name), ..Touched::default() }
    }

    fn keys(index: &Index) -> BTreeSet<Key> {
        index.gateways.node_keys().collect()
    }
}

fn service_id(key: &Key) -> Option<ServiceId> {
    Some(ServiceId { namespace: key.namespace.parse().ok()?, name: key.name.parse().ok()? })
}

fn key_of(id: &ServiceId) -> Key {
    Key { namespace: Arc::from(id.namespace.as_str()), name: Arc::from(id.name.as_str()) }
}

#[cfg(test)]
mod tests;
