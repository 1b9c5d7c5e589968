//! The applied state in memory, shared between the state machine, which alone writes it, and everybody who reads.

use std::sync::{PoisonError, RwLock};

use federation_model::state::{Applied, Changes};
use federation_model::{Batch, Revision, State, UnixMillis};
use tokio::sync::watch;

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
    at: UnixMillis,
}

impl Catalogue {
    /// An empty catalogue whose ring holds at most `ring` changes.
    pub(crate) fn new(ring: usize) -> Self {
        let inner =
            Inner { state: State::default(), changes: Changes::new(ring, Revision(0)), at: UnixMillis(0) };
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

    /// The leader's clock when it proposed the last applied batch; zero before any.
    pub(crate) fn last_batch_at(&self) -> UnixMillis {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).at
    }

    /// Applies entries in order under one lock, then publishes the last revision.
    pub(crate) fn apply<'a>(
        &self,
        entries: impl IntoIterator<Item = (Revision, Option<&'a Batch>)>,
    ) -> Vec<Applied> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, changes, at } = &mut *inner;
        let mut answers = Vec::new();
        for (revision, batch) in entries {
            let Some(batch) = batch else {
                state.skip_to(revision);
                answers.push(Applied::default());
                continue;
            };
            *at = batch.at;
            let mut applied = state.apply(revision, batch);
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
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner { changes: Changes::new(self.ring, revision), state, at };
        drop(inner);
        self.applied.send_replace(revision);
    }

    /// A copy of the state and its time, for a snapshot.
    pub(crate) fn copy(&self) -> (State, UnixMillis) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        (inner.state.clone(), inner.at)
    }
}
