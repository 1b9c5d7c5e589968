//! One object within [`Observed`]: looking at it, and putting into it what was written.

use std::sync::Arc;

use agent_plan::mcs::content::DerivedContent;
use agent_plan::mcs::observed::{Held, HeldImport, HeldStatus};
use agent_plan::mcs::{Action, Object, Observed};

use super::answer::Written;
use super::request::Sent;
use super::target::Kind;

/// What tells one version of an object from another.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    pub(super) uid: &'a str,
    pub(super) version: &'a str,
    pub(super) deleting: bool,
}

impl<'a, T> From<&'a Held<T>> for Seen<'a> {
    fn from(held: &'a Held<T>) -> Self {
        let Held { uid, resource_version, deleting, .. } = held;
        Self { uid, version: resource_version, deleting: *deleting }
    }
}

/// The object, if it is there.
pub(super) fn seen<'a>(observed: &'a Observed, object: &Object) -> Option<Seen<'a>> {
    match object {
        Object::Export(id) => observed.exports.get(id).map(|held| Seen::from(&**held)),
        Object::Import(id) => observed.imports.get(id).map(|held| Seen::from(&**held)),
        Object::Derived(name) => observed.derived.get(name).map(|held| Seen::from(&**held)),
        Object::Slice(name) => observed.slices.get(name).map(|held| Seen::from(&**held)),
        Object::Property(name) => observed.properties.get(name).map(|held| Seen::from(&**held)),
    }
}

/// The latest version of any object of a kind; `None` if there is none that is a number.
pub(super) fn newest(observed: &Observed, kind: Kind) -> Option<u64> {
    fn of<'a, T: 'a>(held: impl Iterator<Item = &'a Arc<Held<T>>>) -> Option<u64> {
        held.filter_map(|held| held.resource_version.parse().ok()).max()
    }
    match kind {
        Kind::serviceexports => of(observed.exports.values()),
        Kind::serviceimports => of(observed.imports.values()),
        Kind::services => of(observed.derived.values()),
        Kind::endpointslices => of(observed.slices.values()),
        Kind::clusterproperties => of(observed.properties.values()),
    }
}

/// Puts a write that was done into `observed`.
pub(super) fn replay(observed: &mut Observed, action: &Action, sent: &Sent, written: &Written) {
    match action {
        Action::ApplyImport { id, content } => {
            let old = observed.imports.remove(id).filter(|held| held.uid == written.uid);
            let status = old.and_then(|held| Arc::unwrap_or_clone(held).content).and_then(|held| held.status);
            let content = HeldImport { spec: Some(content.clone()), status };
            observed.imports.insert(id.clone(), ours(written, sent, None, content));
        }
        Action::ApplyImportStatus { id, status } => {
            let held = observed.imports.get_mut(id).filter(|held| held.uid == written.uid);
            let Some(held) = held.map(Arc::make_mut) else { return };
            written.resource_version.clone_into(&mut held.resource_version);
            let ready = sent.conditions.first();
            let status = HeldStatus {
                status: status.clone(),
                since: ready.and_then(|ready| ready.since.clone()),
                observed_generation: ready.and_then(|ready| ready.observed_generation),
            };
            let content = held.content.get_or_insert(HeldImport { spec: None, status: None });
            content.status = Some(status);
        }
        Action::ApplyDerived { name, owner, content } => {
            let old = observed.derived.remove(name).filter(|held| held.uid == written.uid);
            let vips = old
                .and_then(|held| Arc::unwrap_or_clone(held).content)
                .map(|held| held.vips)
                .unwrap_or_default();
            let content = DerivedContent { vips, ..content.clone() };
            observed.derived.insert(name.clone(), ours(written, sent, Some(&owner.uid), content));
        }
        Action::ApplyDerivedStatus { name, content } => {
            let held = observed.derived.get_mut(name).filter(|held| held.uid == written.uid);
            let Some(held) = held.map(Arc::make_mut) else { return };
            written.resource_version.clone_into(&mut held.resource_version);
            if let Some(held) = &mut held.content {
                held.vips.clone_from(&content.vips);
            }
        }
        Action::ApplySlice { name, owner, content } => {
            observed.slices.insert(name.clone(), ours(written, sent, Some(&owner.uid), content.clone()));
        }
        Action::ApplyExportStatus { id, .. } => {
            let held = observed.exports.get_mut(id).filter(|held| held.uid == written.uid);
            let Some(held) = held.map(Arc::make_mut) else { return };
            written.resource_version.clone_into(&mut held.resource_version);
            held.content = Some(sent.conditions.clone());
        }
        Action::ApplyProperty { name, value } => {
            observed.properties.insert(name.clone(), ours(written, sent, None, value.clone()));
        }
        Action::Delete { object, uid } => delete(observed, object, uid),
    }
}

fn ours<T>(written: &Written, sent: &Sent, owner: Option<&str>, content: T) -> Arc<Held<T>> {
    Arc::new(Held {
        uid: written.uid.clone(),
        resource_version: written.resource_version.clone(),
        generation: written.generation,
        deleting: false,
        ours: true,
        applied: sent.applied.clone(),
        owner: owner.map(str::to_owned),
        content: Some(content),
    })
}

/// Only marks it: whether it is gone, or waits for somebody's finalizer, the watch will tell.
fn delete(observed: &mut Observed, object: &Object, uid: &str) {
    fn mark<T: Clone>(held: Option<&mut Arc<Held<T>>>, uid: &str) {
        if let Some(held) = held.filter(|held| held.uid == uid) {
            Arc::make_mut(held).deleting = true;
        }
    }
    match object {
        Object::Export(id) => mark(observed.exports.get_mut(id), uid),
        Object::Import(id) => mark(observed.imports.get_mut(id), uid),
        Object::Derived(name) => mark(observed.derived.get_mut(name), uid),
        Object::Slice(name) => mark(observed.slices.get_mut(name), uid),
        Object::Property(name) => mark(observed.properties.get_mut(name), uid),
    }
}
