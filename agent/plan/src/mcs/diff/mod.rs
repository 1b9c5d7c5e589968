//! From what is and what should be to what to do about it.
//!
//! Each action is right by itself, so a round may be cut short or half of it may fail: the next round sees what is
//! left. When nothing differs there is no action. The order is that of who waits: imports and their status, then what traffic
//! from pods without a proxy needs, then the word to exporters, and deletions last.

mod dependants;
mod exports;
mod imports;
mod obsolete;

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::ServiceId;

use super::action::{Action, Object, Owner};
use super::desired::Desired;
use super::observed::{Held, Observed};

/// An object that stands where one of ours should, and is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Foreign {
    /// What it is. It is left alone.
    pub object: Object,
}

/// Everything to be done now, the same for the same arguments. Nothing is created or deleted before `observed` is
/// complete: what is not seen may be there. And nothing is deleted or changed before `desired` is confirmed, but for
/// where the gateways are, which this cluster knows by itself.
pub fn diff(desired: &Desired, observed: &Observed) -> Vec<Action> {
    let mut actions = Vec::new();
    let mut deletions = Vec::new();
    imports::actions(desired, observed, &mut actions);
    dependants::actions(desired, observed, &mut actions, &mut deletions);
    exports::actions(desired, observed, &mut actions);
    properties(desired, observed, &mut actions);
    if desired.confirmed && observed.complete {
        obsolete::actions(desired, observed, &mut actions);
        actions.append(&mut deletions);
    }
    actions
}

/// Objects of others that stand in our way, each once, in order.
pub fn foreign(desired: &Desired, observed: &Observed) -> Vec<Foreign> {
    fn among<'a, K: Ord + Clone + 'a, D, T>(
        wanted: &'a BTreeMap<K, D>,
        held: &'a BTreeMap<K, Arc<Held<T>>>,
        object: impl Fn(K) -> Object + 'a,
    ) -> impl Iterator<Item = Foreign> + 'a {
        let theirs = wanted.keys().filter(|key| held.get(*key).is_some_and(|held| !held.ours));
        theirs.map(move |key| Foreign { object: object(key.clone()) })
    }
    among(&desired.imports, &observed.imports, Object::Import)
        .chain(among(&desired.derived, &observed.derived, Object::Derived))
        .chain(among(&desired.slices, &observed.slices, Object::Slice))
        .chain(among(&desired.properties, &observed.properties, Object::Property))
        .collect()
}

fn properties(desired: &Desired, observed: &Observed, actions: &mut Vec<Action>) {
    for (name, value) in &desired.properties {
        let differs = |held: &Held<String>| held.content.as_ref() != Some(value);
        if must_write(observed.properties.get(name), observed, desired.confirmed, differs) {
            actions.push(Action::ApplyProperty { name: name.clone(), value: value.clone() });
        }
    }
}

/// Whether to write an object: where there is none, if that is certain; and where ours differs, if it may be changed. What
/// is on its way out is not written: it would come back half made.
fn must_write<T>(
    held: Option<&Arc<Held<T>>>,
    observed: &Observed,
    may_change: bool,
    differs: impl FnOnce(&Held<T>) -> bool,
) -> bool {
    match held {
        None => observed.complete,
        Some(held) => may_change && held.ours && !held.deleting && differs(held),
    }
}

/// The ServiceImport of ours that may own objects, once it is there: its uid is not known before.
fn owner<'a>(import: &'a ServiceId, observed: &'a Observed) -> Option<OwnerRef<'a>> {
    let held = observed.imports.get(import).filter(|held| held.ours && !held.deleting)?;
    Some(OwnerRef { name: import.name.as_str(), uid: &held.uid })
}

#[derive(Debug, Clone, Copy)]
struct OwnerRef<'a> {
    name: &'a str,
    uid: &'a str,
}

impl OwnerRef<'_> {
    fn to_owner(self) -> Owner {
        Owner { name: self.name.to_owned(), uid: self.uid.to_owned() }
    }

    fn owns<T>(self, held: &Held<T>) -> bool {
        held.owner.as_deref() == Some(self.uid)
    }
}

#[cfg(test)]
mod tests;
