//! How far watchers are behind, for the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use federation_model::state::{Changes, Position};
use federation_model::{ClusterId, State, UnixMillis};

/// All open watches.
#[derive(Debug, Default)]
pub struct Lags {
    open: Mutex<Vec<Weak<Reached>>>,
}

/// How far one watch is.
#[derive(Debug)]
pub(super) struct Reached {
    cluster: ClusterId,
    /// None inside a snapshot.
    position: Mutex<Option<Position>>,
}

/// How far the watches of one cluster are behind; of several, the one that is furthest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lag {
    /// Changes that were not looked at for it, visible or not; all of them while it gets a snapshot.
    pub queue: u64,
    /// Revisions between what it was told and what is applied, if anything changed in them.
    pub revisions: u64,
    /// Since when the first of these changes waits, in milliseconds.
    pub millis: u64,
}

impl Reached {
    pub(super) fn set(&self, position: Option<Position>) {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
    }
}

impl Lags {
    /// A watch opens; dropping what is given back closes it.
    pub(super) fn open(&self, cluster: ClusterId) -> Arc<Reached> {
        let reached = Arc::new(Reached { cluster, position: Mutex::new(None) });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|reached| reached.strong_count() > 0);
        open.push(Arc::downgrade(&reached));
        reached
    }

    /// By cluster; registered ones only, so that their number is bounded.
    pub fn now(&self, state: &State, changes: &Changes, now: UnixMillis) -> BTreeMap<ClusterId, Lag> {
        let open: Vec<_> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.iter().filter_map(Weak::upgrade).collect()
        };
        let mut lags: BTreeMap<ClusterId, Lag> = BTreeMap::new();
        for reached in open.iter().filter(|reached| state.cluster(&reached.cluster).is_some()) {
            let position = *reached.position.lock().unwrap_or_else(PoisonError::into_inner);
            let lag = lag(position, state, changes, now);
            let present = lags.entry(reached.cluster.clone()).or_default();
            *present = Lag {
                queue: present.queue.max(lag.queue),
                revisions: present.revisions.max(lag.revisions),
                millis: present.millis.max(lag.millis),
            };
        }
        lags
    }
}

fn lag(position: Option<Position>, state: &State, changes: &Changes, now: UnixMillis) -> Lag {
    let from = position.unwrap_or_else(|| Position::end_of(changes.complete_after()));
    let Some(mut waiting) = changes.after(from) else {
        return lag(None, state, changes, now);
    };
    let Some((_, first)) = waiting.next() else { return Lag::default() };
    Lag {
        queue: 1 + waiting.count() as u64,
        revisions: state.revision().0.saturating_sub(from.revision().0),
        millis: now.since(first.at()),
    }
}

#[cfg(test)]
mod tests {
    use federation_model::command::Registration;
    use federation_model::{Batch, Command, Revision};

    use super::*;

    #[test]
    fn a_watch_is_behind_by_what_it_was_not_told() {
        let (mut state, mut changes, lags) =
            (State::default(), Changes::new(10, Revision(0)), Lags::default());
        let [east, west]: [ClusterId; 2] = ["east", "west"].map(|id| id.parse().unwrap());
        let (first, second, stranger) =
            (lags.open(east.clone()), lags.open(east.clone()), lags.open("nobody".parse().unwrap()));
        for (revision, cluster) in [(1, &east), (2, &west)] {
            let registration = Registration {
                cluster: cluster.clone(),
                instance: "0".repeat(32).parse().unwrap(),
                network: "n".parse().unwrap(),
                region: None,
                zone: None,
                trust_domain: format!("{cluster}.lab").parse().unwrap(),
                gateways: Vec::new(),
            };
            let at = UnixMillis(revision * 1_000);
            let batch = Batch { at, commands: vec![Command::RegisterCluster(registration)] };
            let applied = state.apply(Revision(revision), &batch);
            changes.record(Revision(revision), at, applied.changed, &applied.before);
        }
        let now = || lags.now(&state, &changes, UnixMillis(5_000));
        first.set(Some(Position::end_of(Revision(2))));
        second.set(Some(Position::end_of(Revision(1))));
        let behind = Lag { queue: 1, revisions: 1, millis: 3_000 };
        assert_eq!(now(), BTreeMap::from([(east.clone(), behind)]));
        second.set(None);
        assert_eq!(now()[&east], Lag { queue: 2, revisions: 2, millis: 4_000 });
        drop((second, stranger));
        assert_eq!(now(), BTreeMap::from([(east, Lag::default())]));
    }
}
