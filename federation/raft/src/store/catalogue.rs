//! The applied state in memory, shared between the state machine, which alone writes it, and everybody who reads.

use std::sync::{PoisonError, RwLock};

use federation_model::state::{Applied, Changes};
use federation_model::{Batch, Revision, State, UnixMillis};
use tokio::sync::watch;
use tokio::time::Instant;

/// The catalogue as of the last applied entry, with its recent changes.
///
/// Readers hold the lock for the length of a closure and must not block or await in it. `applied` is advanced after
/// the lock is released, so a reader woken by it sees at least that revision.
#[derive(Debug)]
pub(crate) struct Catalogue {
    inner: RwLock<Inner>,
    applied: watch::Sender<Revision>,
    ring: usize,
}

#[derive(Debug)]
struct Inner {
    state: State,
    changes: Changes,
    last: Option<LastBatch>,
}

/// The last batch applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastBatch {
    /// Its entry.
    pub(crate) revision: Revision,
    /// The clusterset's time when it was proposed.
    pub(crate) at: UnixMillis,
    /// When it was applied here.
    pub(crate) seen: Instant,
}

impl Catalogue {
    /// An empty catalogue whose ring holds at most `ring` changes.
    pub(crate) fn new(ring: usize) -> Self {
        let inner = Inner { state: State::default(), changes: Changes::new(ring, Revision(0)), last: None };
        Self { inner: RwLock::new(inner), applied: watch::Sender::new(Revision(0)), ring }
    }

    /// Reads the state and its recent changes at one revision.
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&State, &Changes) -> T) -> T {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        reader(&inner.state, &inner.changes)
    }

    /// The last applied revision, as a thing to wait on.
    pub(crate) fn applied(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }

    /// The last batch applied, if there was any.
    pub(crate) fn last_batch(&self) -> Option<LastBatch> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Applies entries in order under one lock, then publishes the last revision.
    pub(crate) fn apply<'a>(
        &self,
        entries: impl IntoIterator<Item = (Revision, Option<&'a Batch>)>,
    ) -> Vec<Applied> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, changes, last } = &mut *inner;
        let mut answers = Vec::new();
        for (revision, batch) in entries {
            let Some(batch) = batch else {
                state.skip_to(revision);
                answers.push(Applied::default());
                continue;
            };
            let mut applied = state.apply(revision, batch);
            *last = Some(LastBatch { revision, at: state.now(), seen: Instant::now() });
            changes.record(revision, std::mem::take(&mut applied.changed));
            answers.push(applied);
        }
        let revision = inner.state.revision();
        drop(inner);
        self.applied.send_replace(revision);
        answers
    }

    /// Replaces everything by a snapshot. The ring starts anew: watchers before it get a snapshot too.
    pub(crate) fn replace(&self, state: State, at: UnixMillis) {
        let revision = state.revision();
        // A snapshot says nothing about how long ago its last batch was: it may be of any age.
        let last = Some(LastBatch { revision: Revision(0), at: at.max(state.now()), seen: Instant::now() });
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner { changes: Changes::new(self.ring, revision), state, last };
        drop(inner);
        self.applied.send_replace(revision);
    }

    /// A copy of the state and its time, for a snapshot.
    pub(crate) fn copy(&self) -> (State, UnixMillis) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        (inner.state.clone(), inner.last.map_or(UnixMillis(0), |last| last.at))
    }
}
