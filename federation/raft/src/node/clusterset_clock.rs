//! The clusterset's clock. No I/O: what a wall clock and a monotonic clock show comes in as values.
//!
//! Time passes as the leader's monotonic clock counts it, from where the log says it was. A server's wall clock counts in
//! two ways only: it is where time begins when no server can say what time it was (the first batch of all, or the first
//! after a restart of all servers), and the clusterset's clock is drawn towards that of the leader, too slowly for a wrong
//! one to end a lease. Neither a step of a wall clock nor a change of leader is therefore a step of time.

use std::time::Duration;

use federation_model::UnixMillis;

/// The clock is drawn to the leader's wall clock by at most one part in so many of the time that passes: one millisecond
/// a second.
const SLEW: u32 = 1_000;

/// What one server knows of the clusterset's time. Monotonic times are since any moment that does not change.
#[derive(Debug, Clone, Default)]
pub(super) struct ClustersetClock {
    reading: Option<Reading>,
    /// The latest time given or seen. Nothing given later is before it.
    latest: UnixMillis,
}

/// A time, and when it was.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Since the Unix epoch.
    at: Duration,
    /// By the monotonic clock.
    seen: Duration,
}

/// What the time of an applied batch is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It was in this server's log when the process started: nobody knows how long ago that was.
    Replayed,
    /// Its leader proposed it just now, less its way here.
    Live,
}

impl ClustersetClock {
    /// A batch of `at` was applied at `seen`.
    pub(super) fn observe(&mut self, at: UnixMillis, seen: Duration, heard: Heard) {
        // A time that was given or seen before is no news of now: our own batches come back later than they were stamped,
        // and a new leader that lags may stamp the time of the batch before it. Neither may hold the clock back.
        if heard == Heard::Live && at > self.latest {
            self.reading = Some(Reading { at: Duration::from_millis(at.0), seen });
        }
        self.latest = self.latest.max(at);
    }

    /// The time for a batch that this server proposes as leader.
    pub(super) fn stamp(&mut self, now: Duration, wall: UnixMillis) -> UnixMillis {
        let wall_at = Duration::from_millis(wall.0);
        let at = match self.reading {
            None => wall_at,
            Some(Reading { at, seen }) => {
                let passed = now.saturating_sub(seen);
                let steady = at.saturating_add(passed);
                let most = passed / SLEW;
                let ahead = wall_at.saturating_sub(steady).min(most);
                let behind = steady.saturating_sub(wall_at).min(most);
                steady.saturating_add(ahead).saturating_sub(behind)
            }
        };
        let at = at.max(Duration::from_millis(self.latest.0));
        self.reading = Some(Reading { at, seen: now });
        self.latest = millis(at);
        self.latest
    }

    /// The time now, at any server.
    pub(super) fn read(&self, now: Duration, wall: UnixMillis) -> UnixMillis {
        let shown = match self.reading {
            None => wall,
            Some(Reading { at, seen }) => millis(at.saturating_add(now.saturating_sub(seen))),
        };
        shown.max(self.latest)
    }
}

fn millis(at: Duration) -> UnixMillis {
    UnixMillis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
