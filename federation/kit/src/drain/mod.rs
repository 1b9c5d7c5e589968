//! How work is asked to stop: a trigger, watchers that hold the process until they let go, and a deadline.
//!
//! Phases only move forward: `Running` (serve), `Draining` (finish what you have, take nothing new), `Forced` (the
//! deadline passed: stop at once), `Drained` (nobody holds on any more; the admin endpoint may close).

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[cfg(test)]
mod tests;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Running,
    Draining,
    Forced,
    Drained,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every watcher let go by itself.
    Complete,
    /// The deadline passed with this many watchers still held; they were told to stop at once.
    Forced {
        /// Watchers that were held when the deadline passed.
        held: usize,
    },
}

/// Starts the drain. There is one, held by whoever decides that the work must end. Dropping it without draining
/// counts as a drain that is forced at once, so that no watcher waits for ever.
#[derive(Debug)]
pub struct DrainTrigger {
    phase: watch::Sender<Phase>,
    holders: TaskTracker,
}

/// Learns of the drain and, while it lives, keeps the drain from completing. A clone holds by itself.
#[derive(Debug, Clone)]
pub struct DrainWatcher {
    observer: DrainObserver,
    _held: TaskTrackerToken,
}

/// Learns of the drain without holding it: for what must outlive the work, such as the admin endpoint.
#[derive(Debug, Clone)]
pub struct DrainObserver {
    phase: watch::Receiver<Phase>,
}

/// A trigger and its first watcher.
#[must_use]
pub fn channel() -> (DrainTrigger, DrainWatcher) {
    let phase = watch::Sender::new(Phase::Running);
    let holders = TaskTracker::new();
    let watcher =
        DrainWatcher { observer: DrainObserver { phase: phase.subscribe() }, _held: holders.token() };
    (DrainTrigger { phase, holders }, watcher)
}

impl DrainTrigger {
    /// Tells every watcher to finish, and waits until all are dropped or `deadline` has passed. Whoever calls it
    /// must hold no watcher, or it always takes the whole deadline.
    pub async fn drain(self, deadline: Duration) -> Drained {
        self.phase.send_replace(Phase::Draining);
        self.holders.close();
        let outcome = match tokio::time::timeout(deadline, self.holders.wait()).await {
            Ok(()) => Drained::Complete,
            Err(_) => {
                let held = self.holders.len();
                self.phase.send_replace(Phase::Forced);
                Drained::Forced { held }
            }
        };
        self.phase.send_replace(Phase::Drained);
        outcome
    }
}

impl DrainWatcher {
    /// Waits until the drain begins.
    pub async fn wait(&self) {
        self.observer.reached(Phase::Draining).await;
    }

    /// Waits until the deadline of the drain has passed and what is left must stop at once.
    pub async fn forced(&self) {
        self.observer.reached(Phase::Forced).await;
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.observer.is_draining()
    }

    /// A future of its own that ends when the drain begins; it holds the drain until it ends or is dropped. Keep
    /// the watcher as well where work goes on after the signal, as behind `serve_with_incoming_shutdown`.
    pub fn signalled(&self) -> impl Future<Output = ()> + Send + 'static {
        let watcher = self.clone();
        async move { watcher.wait().await }
    }

    /// Gives up the hold and keeps the view.
    #[must_use]
    pub fn into_observer(self) -> DrainObserver {
        self.observer
    }
}

impl DrainObserver {
    /// Whether the drain has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining || self.phase.has_changed().is_err()
    }

    /// Waits until the drain begins.
    pub async fn wait(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the drain is over: every watcher is gone, or was told to stop at once.
    pub async fn finished(&self) {
        self.reached(Phase::Drained).await;
    }

    async fn reached(&self, phase: Phase) {
        // An error means that the trigger is gone: nobody will say more, so every phase counts as reached.
        let _ = self.phase.clone().wait_for(|now| *now >= phase).await;
    }
}
