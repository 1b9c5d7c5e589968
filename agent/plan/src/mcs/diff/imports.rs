//! ServiceImports and their status.

use std::collections::BTreeMap;

use crate::mcs::action::Action;
use crate::mcs::content::{ImportContent, ImportStatus};
use crate::mcs::desired::Desired;
use crate::mcs::observed::{Held, HeldImport, Observed};
use crate::mcs::render;

pub(super) fn actions(desired: &Desired, observed: &Observed, actions: &mut Vec<Action>) {
    for (id, want) in &desired.imports {
        let held = observed.imports.get(id);
        if super::must_write(held, observed, desired.confirmed, |held| content_differs(&want.content, held)) {
            actions.push(Action::ApplyImport { id: id.clone(), content: want.content.clone() });
        }
        // Its status can be written once it is there.
        let Some(held) = held.filter(|held| held.ours && !held.deleting) else { continue };
        let first = held.content.as_ref().is_none_or(|import| import.status.is_none());
        if (desired.confirmed || first) && status_differs(&want.status, held) {
            actions.push(Action::ApplyImportStatus { id: id.clone(), status: want.status.clone() });
        }
    }
}

fn content_differs(want: &ImportContent, held: &Held<HeldImport>) -> bool {
    let Some(is) = held.content.as_ref().and_then(|import| import.spec.as_ref()) else { return true };
    let same_spec = want.kind == is.kind
        && want.ports == is.ports
        && want.families == is.families
        && want.ips == is.ips
        && want.session_affinity == is.session_affinity
        && want.internal_traffic_policy == is.internal_traffic_policy
        && want.traffic_distribution == is.traffic_distribution;
    if !same_spec {
        return true;
    }
    if want.labels == is.labels && want.annotations == is.annotations {
        return false;
    }
    // What is there besides is somebody else's if what we applied last is just this.
    let ours_are_there = among(&want.labels, &is.labels) && among(&want.annotations, &is.annotations);
    !(ours_are_there && held.applied.as_deref() == Some(render::import_hash(want).as_str()))
}

fn among(these: &BTreeMap<String, String>, all: &BTreeMap<String, String>) -> bool {
    these.iter().all(|(key, value)| all.get(key) == Some(value))
}

/// Clusters beside ours are somebody else's: our own last word on them is told by the message of `Ready`.
fn status_differs(want: &ImportStatus, held: &Held<HeldImport>) -> bool {
    let Some(is) = held.content.as_ref().and_then(|import| import.status.as_ref()) else { return true };
    want.ready != is.status.ready
        || is.observed_generation != Some(held.generation)
        || (want.slices_present.is_some() && want.slices_present != is.status.slices_present)
        || !want.clusters.is_subset(&is.status.clusters)
}
