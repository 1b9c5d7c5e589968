//! The clusterset's clock at this server: reads the clocks and the log, and lets [`ClustersetClock`] decide.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation_model::{Revision, UnixMillis};
use tokio::time::Instant;

use super::clock::Clock;
use super::clusterset_clock::{ClustersetClock, Heard};
use crate::store::catalogue::Catalogue;

/// Tells the clusterset's time. Clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct Time {
    wall: Clock,
    catalogue: Arc<Catalogue>,
    /// The end of the log when the process started: what is applied up to there was proposed at any time before.
    replayed: Revision,
    started: Instant,
    clock: Arc<Mutex<ClustersetClock>>,
}

impl Time {
    /// A clock that follows what `catalogue` applies. `replayed` is the end of the log at the start.
    pub(super) fn new(wall: Clock, catalogue: Arc<Catalogue>, replayed: Revision) -> Self {
        Self { wall, catalogue, replayed, started: Instant::now(), clock: Arc::default() }
    }

    /// The time for a batch that this server proposes as leader. Never before an earlier one.
    pub(crate) fn stamp(&self) -> UnixMillis {
        let (mut clock, now) = self.caught_up();
        clock.stamp(now, self.wall.now())
    }

    /// The time now.
    pub(crate) fn now(&self) -> UnixMillis {
        let (clock, now) = self.caught_up();
        clock.read(now, self.wall.now())
    }

    fn caught_up(&self) -> (MutexGuard<'_, ClustersetClock>, Duration) {
        let last = self.catalogue.last_batch();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            let heard = if last.revision > self.replayed { Heard::Live } else { Heard::Replayed };
            clock.observe(last.at, last.seen.saturating_duration_since(self.started), heard);
        }
        (clock, self.started.elapsed())
    }
}
