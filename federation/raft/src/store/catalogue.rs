//! The applied state in memory, shared between the state machine, which alone writes it, and everybody who reads.

use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock};

use federation_model::state::{Applied, Changes, Outcome, Tail};
use federation_model::{Batch, Revision, State, UnixMillis};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::metrics::Metrics;
use crate::planted::Planted;

/// Sees everything that a server applies, in order: the oracle of a simulation. It must not block.
pub trait Witness: Debug + Send + Sync {
    /// The entry at `revision` was applied, and led to `state`. Entries of Raft itself have no batch.
    fn applied(&self, revision: Revision, batch: Option<&Batch>, outcomes: &[Outcome], state: &State);

    /// A snapshot has replaced whatever was there.
    fn replaced(&self, state: &State);
}

/// The catalogue as of the last applied entry, with its recent changes.
///
/// Readers hold the lock for the length of a closure and must not block or await in it. `applied` is advanced after
/// the lock is released, so a reader woken by it sees at least that revision.
#[derive(Debug)]
pub(crate) struct Catalogue {
    inner: RwLock<Inner>,
    applied: watch::Sender<Revision>,
    /// Advanced like `applied`, but only when a piece changed.
    news: watch::Sender<Revision>,
    ring: usize,
    metrics: Metrics,
    witness: Option<Arc<dyn Witness>>,
    #[cfg_attr(not(feature = "simulation"), expect(dead_code, reason = "nothing is planted"))]
    planted: Planted,
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
    /// An empty catalogue that keeps at most `ring` changes.
    pub(crate) fn new(ring: usize, metrics: Metrics) -> Self {
        let inner = Inner { state: State::default(), changes: Changes::new(ring, Revision(0)), last: None };
        let nothing = || watch::Sender::new(Revision(0));
        Self {
            inner: RwLock::new(inner),
            applied: nothing(),
            news: nothing(),
            ring,
            metrics,
            witness: None,
            planted: Planted::default(),
        }
    }

    /// The same with a witness, and perhaps a defect.
    pub(crate) fn watched(self, witness: Option<Arc<dyn Witness>>, planted: Planted) -> Self {
        Self { witness, planted, ..self }
    }

    /// Reads the state and its recent changes at one revision.
    pub(crate) fn read<T>(&self, reader: impl FnOnce(&State, &Changes) -> T) -> T {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "simulation")]
        if let Some(shown) = self.planted.shown(&inner.state) {
            return reader(&shown, &inner.changes);
        }
        reader(&inner.state, &inner.changes)
    }

    /// The last applied revision, as a thing to wait on.
    pub(crate) fn applied(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }

    /// The last revision that changed a piece, as a thing to wait on.
    pub(crate) fn news(&self) -> watch::Receiver<Revision> {
        self.news.subscribe()
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
        let begun = Instant::now();
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner { state, changes, last } = &mut *inner;
        let mut answers = Vec::new();
        let mut news = None;
        for (revision, batch) in entries {
            let Some(batch) = batch else {
                state.skip_to(revision);
                if let Some(witness) = &self.witness {
                    witness.applied(revision, None, &[], state);
                }
                answers.push(Applied::default());
                continue;
            };
            let mut applied = self.step(state, revision, batch);
            *last = Some(LastBatch { revision, at: state.now(), seen: Instant::now() });
            if let Some(witness) = &self.witness {
                witness.applied(revision, Some(batch), &applied.outcomes, state);
            }
            if !applied.changed.is_empty() {
                news = Some(revision);
            }
            let (changed, before) =
                (std::mem::take(&mut applied.changed), std::mem::take(&mut applied.before));
            changes.record(revision, state.now(), changed, &before);
            answers.push(applied);
        }
        let revision = inner.state.revision();
        drop(inner);
        self.metrics.apply.observe(begun.elapsed().as_secs_f64());
        self.applied.send_replace(revision);
        if let Some(news) = news {
            self.news.send_replace(news);
        }
        answers
    }

    /// Replaces everything by a snapshot. The recent changes are those that came with it: watchers from before them get a
    /// snapshot too.
    pub(crate) fn replace(&self, state: State, at: UnixMillis, tail: Option<Tail>) {
        let revision = state.revision();
        let changes = Changes::resume(self.ring, revision, tail);
        // A snapshot says nothing about how long ago its last batch was: it may be of any age.
        let last = Some(LastBatch { revision: Revision(0), at: at.max(state.now()), seen: Instant::now() });
        self.metrics.snapshot_of(at);
        if let Some(witness) = &self.witness {
            witness.replaced(&state);
        }
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner { changes, state, last };
        drop(inner);
        self.applied.send_replace(revision);
        self.news.send_replace(revision);
    }

    #[cfg(not(feature = "simulation"))]
    fn step(&self, state: &mut State, revision: Revision, batch: &Batch) -> Applied {
        state.apply(revision, batch)
    }

    #[cfg(feature = "simulation")]
    fn step(&self, state: &mut State, revision: Revision, batch: &Batch) -> Applied {
        self.planted.apply(state, revision, batch)
    }

    /// What is measured of it.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A copy of the state, its recent changes and its time, for a snapshot. It shares nearly everything with what it is a
    /// copy of.
    pub(crate) fn copy(&self) -> (State, Changes, UnixMillis) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        (inner.state.clone(), inner.changes.clone(), inner.last.map_or(UnixMillis(0), |last| last.at))
    }
}
