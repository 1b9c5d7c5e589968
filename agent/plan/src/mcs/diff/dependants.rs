//! Derived Services and EndpointSlices: each once the import that owns it is there.

use std::borrow::Cow;
use std::sync::Arc;

use super::OwnerRef;
use crate::mcs::action::{Action, Object};
use crate::mcs::content::{DerivedContent, SliceContent, SliceRole};
use crate::mcs::desired::Desired;
use crate::mcs::observed::{Held, ObjectName, Observed};
use crate::mcs::render;

pub(super) fn actions(
    desired: &Desired,
    observed: &Observed,
    actions: &mut Vec<Action>,
    deletions: &mut Vec<Action>,
) {
    for (name, want) in &desired.derived {
        if let Some(owner) = super::owner(&want.import, observed) {
            derived(name, want, owner, (desired.confirmed, observed), actions, deletions);
        }
    }
    for (name, want) in &desired.slices {
        let Some(owner) = super::owner(&want.import, observed) else { continue };
        let held = observed.slices.get(name);
        let content = match desired.confirmed {
            true => Cow::Borrowed(&want.content),
            false => Cow::Owned(unconfirmed(&want.content, held)),
        };
        if super::must_write(held, observed, true, |held| {
            held.content.as_ref() != Some(&*content) || !owner.owns(held)
        }) {
            let (name, owner, content) = (name.clone(), owner.to_owner(), content.into_owned());
            actions.push(Action::ApplySlice { name, owner, content });
        }
    }
}

/// A slice until the federation is confirmed: as it is, but for the gateways of now.
fn unconfirmed(want: &SliceContent, held: Option<&Arc<Held<SliceContent>>>) -> SliceContent {
    let Some(is) = held.and_then(|held| held.content.as_ref()) else { return want.clone() };
    match want.role {
        SliceRole::Derived { .. } => SliceContent { endpoints: want.endpoints.clone(), ..is.clone() },
        SliceRole::Mcs { .. } => is.clone(),
    }
}

fn derived(
    name: &ObjectName,
    want: &DerivedContent,
    owner: OwnerRef<'_>,
    (may_change, observed): (bool, &Observed),
    actions: &mut Vec<Action>,
    deletions: &mut Vec<Action>,
) {
    let held = observed.derived.get(name);
    if let Some(held) = held.filter(|held| held.ours && !held.deleting && cannot_be_corrected(want, held)) {
        let object = Object::Derived(name.clone());
        deletions.push(Action::Delete { object, uid: held.uid.clone() });
        return;
    }
    if super::must_write(held, observed, may_change, |held| spec_differs(want, held) || !owner.owns(held)) {
        let (name, owner) = (name.clone(), owner.to_owner());
        actions.push(Action::ApplyDerived { name, owner, content: want.clone() });
    }
    // Only a Service of type LoadBalancer may have VIPs: one that is not comes first.
    let Some(held) = held.filter(|held| held.ours && !held.deleting) else { return };
    let vips = held.content.as_ref().map(|is| &is.vips);
    if vips.is_some_and(|vips| (may_change || vips.is_empty()) && *vips != want.vips) {
        actions.push(Action::ApplyDerivedStatus { name: name.clone(), content: want.clone() });
    }
}

fn spec_differs(want: &DerivedContent, held: &Held<DerivedContent>) -> bool {
    let same = |is: &DerivedContent| is.import == want.import && is.ports == want.ports && !is.selector;
    !held.content.as_ref().is_some_and(same)
}

/// Somebody added a selector or a port, which to apply again would not take away: it is made anew. Ports that we
/// applied ourselves, and no longer want, go by themselves.
fn cannot_be_corrected(want: &DerivedContent, held: &Held<DerivedContent>) -> bool {
    let Some(is) = &held.content else { return false };
    let number = |port: &federation_model::ServicePort| (port.port, port.protocol);
    let more = is.ports.iter().any(|port| !want.ports.iter().any(|own| number(own) == number(port)));
    (is.selector || more) && held.applied.as_deref() == Some(render::derived_hash(want).as_str())
}
