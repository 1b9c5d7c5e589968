//! Objects of ours that should not be.
//!
//! Where a namespace is on its way out, whoever deletes it deletes what is in it. And where ServiceImports are not
//! known to the API server, what they own is left to its garbage collector: it would be a pity to take every VIP away because
//! a definition could not be read for a moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::Namespace;

use crate::mcs::action::{Action, Object};
use crate::mcs::desired::Desired;
use crate::mcs::observed::{Held, Observed};

pub(super) fn actions(desired: &Desired, observed: &Observed, actions: &mut Vec<Action>) {
    let lives = |namespace: &Namespace| observed.namespaces.contains(namespace);
    if observed.capabilities.imports.is_some() {
        let imports = obsolete(&observed.imports, &desired.imports).filter(|(id, _)| lives(&id.namespace));
        actions.extend(imports.map(|(id, held)| delete(Object::Import(id.clone()), held)));
        let slices = obsolete(&observed.slices, &desired.slices).filter(|(name, _)| lives(&name.namespace));
        actions.extend(slices.map(|(name, held)| delete(Object::Slice(name.clone()), held)));
        let derived =
            obsolete(&observed.derived, &desired.derived).filter(|(name, _)| lives(&name.namespace));
        actions.extend(derived.map(|(name, held)| delete(Object::Derived(name.clone()), held)));
    }
    if observed.capabilities.properties {
        let properties = obsolete(&observed.properties, &desired.properties);
        actions.extend(properties.map(|(name, held)| delete(Object::Property(name.clone()), held)));
    }
}

fn obsolete<'a, K: Ord, T, D>(
    held: &'a BTreeMap<K, Arc<Held<T>>>,
    wanted: &'a BTreeMap<K, D>,
) -> impl Iterator<Item = (&'a K, &'a Arc<Held<T>>)> {
    held.iter().filter(|(key, held)| held.ours && !held.deleting && !wanted.contains_key(*key))
}

fn delete<T>(object: Object, held: &Held<T>) -> Action {
    Action::Delete { object, uid: held.uid.clone() }
}
