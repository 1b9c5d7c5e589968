//! A view says what the log says at its revision, no more and no less: the view is that of the state which the log leads
//! to up to there, for the eyes of that cluster.
//!
//! Two things are no news, and may be older in a view: until when a lease is held, and the generation of an export that
//! was said again without a change.

use federation_model::{Cluster, ClusterId, Export, FederationView, Generation, Lease, State, UnixMillis};

use super::{Property, Violation};
use crate::oracle::History;

/// An agent of `viewer` was given a view.
pub fn view(
    history: &History,
    agent: &str,
    viewer: &ClusterId,
    view: &FederationView,
) -> Result<(), Violation> {
    let due = match history.log.get(&view.revision.0) {
        Some(entry) => of(&entry.state, viewer),
        None if view.revision.0 == 0 => FederationView::default(),
        None => {
            let what = format!("{agent} sees revision {}, which was applied nowhere", view.revision);
            return Err(Violation::of(Property::Views, what));
        }
    };
    match difference(&due, view) {
        None => Ok(()),
        Some(difference) => {
            let what = format!("{agent} sees at {}: {difference}", view.revision);
            Err(Violation::of(Property::Views, what))
        }
    }
}

/// What `viewer` should see of `state`.
#[must_use]
pub fn of(state: &State, viewer: &ClusterId) -> FederationView {
    let mut view = FederationView {
        revision: state.revision(),
        incarnation: state.incarnation(),
        ..FederationView::default()
    };
    for item in state.snapshot_for(viewer) {
        view.upsert(item);
    }
    view
}

/// The first thing in which `found` differs from what is `due`, in words.
#[must_use]
pub fn difference(due: &FederationView, found: &FederationView) -> Option<String> {
    fn differs<T: PartialEq + std::fmt::Debug>(what: &str, due: &T, found: &T) -> Option<String> {
        (due != found).then(|| format!("{what} {found:?} instead of {due:?}"))
    }
    if exports(due) != exports(found) {
        return Some(format!("versions {:?} instead of {:?}", brief(found), brief(due)));
    }
    differs("clusters", &clusters(due), &clusters(found))
        .or_else(|| differs("bundles", &due.bundles, &found.bundles))
        .or_else(|| differs("VIPs", &due.vips, &found.vips))
        .or_else(|| differs("incarnation", &due.incarnation, &found.incarnation))
}

fn brief(view: &FederationView) -> Vec<(String, u64)> {
    let all = view.exports.values().flat_map(|exporters| exporters.values());
    all.map(|e| (format!("{} of {}", e.service, e.cluster), crate::agent::version(e))).collect()
}

/// Less what is no news.
fn clusters(view: &FederationView) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = view.clusters.values().cloned().collect();
    for cluster in &mut clusters {
        if let Lease::Held { until, .. } = &mut cluster.lease {
            *until = UnixMillis(0);
        }
    }
    clusters
}

/// Less what is no news.
fn exports(view: &FederationView) -> Vec<Export> {
    let all = view.exports.values().flat_map(|exporters| exporters.values());
    all.map(|export| Export { generation: Generation(0), ..Export::clone(export) }).collect()
}
