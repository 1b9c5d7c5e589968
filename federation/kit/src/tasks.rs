//! Owned tasks: every task has a name, somebody who notices its panic, and an end.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one process (or of one part of it). Cheap to clone; all clones are the same set. When the last
/// clone is dropped every task of the set is cancelled at its next await; a task must therefore hold no clone of
/// the set it runs in, unless it ends by itself.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: TaskTracker,
    cancel: CancellationToken,
    failure: watch::Sender<Option<TaskFailed>>,
}

/// A task ended in a way it must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task {name} {how}")]
pub struct TaskFailed {
    name: &'static str,
    how: String,
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `work` until it ends or the set is cancelled. A panic is logged and reported by [`Tasks::failed`].
    pub fn spawn<F>(&self, name: &'static str, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_fallible(name, async move {
            work.await;
            Ok::<(), std::convert::Infallible>(())
        });
    }

    /// As [`Tasks::spawn`]; an error is reported like a panic. For work without which the process is of no use.
    pub fn spawn_fallible<F, E>(&self, name: &'static str, work: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        let cancel = self.inner.cancel.clone();
        let failure = self.inner.failure.clone();
        self.inner.running.spawn(async move {
            // Nothing of a panicked task is used again, so broken invariants inside it cannot spread.
            let work = AssertUnwindSafe(work).catch_unwind();
            let Some(ended) = cancel.run_until_cancelled(work).await else { return };
            let how = match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("failed: {error}"),
                Err(panic) => format!("panicked: {}", panic_message(&*panic)),
            };
            tracing::error!(task = name, how, "task failed");
            failure.send_if_modified(|first| {
                let unset = first.is_none();
                if unset {
                    *first = Some(TaskFailed { name, how });
                }
                unset
            });
        });
    }

    /// Waits for the first task that panics or fails; for ever if none does.
    pub async fn failed(&self) -> TaskFailed {
        let mut failure = self.inner.failure.subscribe();
        match failure.wait_for(Option::is_some).await.map(|seen| seen.clone()) {
            Ok(Some(failed)) => failed,
            // The sender is in `self`, so the channel cannot close; a value is there once the wait ends.
            _ => std::future::pending().await,
        }
    }

    /// How many tasks run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.inner.running.len()
    }

    /// Waits until every task has ended, at most `grace`; then cancels what is left, waits for that, and returns
    /// how many had to be cancelled. The set takes no new work seriously afterwards: it is cancelled at once.
    pub async fn stop(&self, grace: Duration) -> usize {
        self.inner.running.close();
        let in_time = tokio::time::timeout(grace, self.inner.running.wait()).await.is_ok();
        let left = if in_time { 0 } else { self.inner.running.len() };
        self.inner.cancel.cancel();
        self.inner.running.wait().await;
        left
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_panic_is_reported_with_its_task() {
        let tasks = Tasks::new();
        tasks.spawn("quiet", async {});
        tasks.spawn("loud", async { panic!("boom {}", 7) });
        assert_eq!(tasks.failed().await.to_string(), "task loud panicked: boom 7");
    }

    #[tokio::test]
    async fn an_error_is_reported_with_its_task() {
        let tasks = Tasks::new();
        tasks.spawn_fallible("store", async { Err::<(), _>("disk gone") });
        assert_eq!(tasks.failed().await.to_string(), "task store failed: disk gone");
    }

    #[tokio::test(start_paused = true)]
    async fn stop_waits_for_the_grace_and_cancels_the_rest() {
        let tasks = Tasks::new();
        let (alive, gone) = oneshot::channel::<()>();
        tasks.spawn("stubborn", async move {
            std::future::pending::<()>().await;
            drop(alive);
        });
        tasks.spawn("ends", async {});
        assert_eq!(tasks.stop(Duration::from_secs(5)).await, 1);
        assert!(gone.await.is_err());
        assert_eq!(tasks.running(), 0);
    }

    #[tokio::test]
    async fn dropping_the_set_cancels_its_tasks() {
        let tasks = Tasks::new();
        let (alive, gone) = oneshot::channel::<()>();
        tasks.spawn("kept", async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(tasks);
        assert!(gone.await.is_err());
    }
}
