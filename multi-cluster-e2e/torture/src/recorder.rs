//! Takes notes of what clients are told, in one order.
//!
//! A write is noted before its client has it, everything else after the client was told. Notes that belong together
//! are taken together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use federation_model::Revision;
use multi_cluster_e2e_history::{Event, History, Slot, WatcherName, Wish, WriteId};

/// Clones write the same history.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    events: Vec<Event>,
    writes: u64,
    /// The largest revision that anybody was told of.
    told: Revision,
    /// How far each watcher is.
    positions: BTreeMap<WatcherName, Revision>,
    /// When a write was acknowledged last, while any was waited for.
    acknowledged: Option<Instant>,
    longest: Duration,
}

impl Recorder {
    /// Notes that a write is about to be made.
    pub fn proposed(&self, slot: Slot, wish: Wish) -> WriteId {
        let mut notes = self.lock();
        notes.writes += 1;
        let write = WriteId(notes.writes);
        notes.events.push(Event::Proposed { write, slot, wish });
        write
    }

    /// Notes that a write is committed.
    pub fn acknowledged(&self, write: WriteId, revision: Revision) {
        let mut notes = self.lock();
        notes.told = notes.told.max(revision);
        notes.events.push(Event::Acknowledged { write, revision: Some(revision) });
        let now = Instant::now();
        if let Some(before) = notes.acknowledged.replace(now) {
            notes.longest = notes.longest.max(now.duration_since(before));
        }
    }

    /// The time in which nobody writes does not count as one in which nobody could.
    pub fn writers_rest(&self) {
        self.lock().acknowledged = None;
    }

    /// Notes what a watcher was sent.
    pub fn watched(&self, events: impl IntoIterator<Item = Event>) {
        let mut notes = self.lock();
        for event in events {
            if let Event::SnapshotEnded { watcher, revision } | Event::Progressed { watcher, revision } =
                &event
            {
                notes.positions.insert(watcher.clone(), *revision);
            }
            notes.events.push(event);
        }
    }

    /// Notes for people what was done.
    pub fn note(&self, text: String) {
        self.lock().events.push(Event::Note { text });
    }

    /// Notes that all had settled: every watcher of `watchers` was waited for.
    pub fn settled(&self, watchers: Vec<WatcherName>) {
        self.lock().events.push(Event::Settled { watchers });
    }

    /// The largest revision that anybody was told of.
    pub fn told(&self) -> Revision {
        self.lock().told
    }

    /// How far a watcher is; zero if it has seen nothing whole yet.
    pub fn position(&self, watcher: &WatcherName) -> Revision {
        self.lock().positions.get(watcher).copied().unwrap_or_default()
    }

    /// The longest time between two acknowledged writes while there were writers.
    pub fn longest_silence(&self) -> Duration {
        self.lock().longest
    }

    /// What was noted so far.
    pub fn history(&self) -> History {
        History { events: self.lock().events.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
