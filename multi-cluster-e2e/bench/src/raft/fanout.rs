//! One writer, and many who watch what it writes.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::load::Write;
use crate::samples::Samples;

/// Sees one value after the other.
pub(super) trait Watch: Send + 'static {
    /// Waits for the next value.
    fn next(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What came of it.
#[derive(Debug)]
pub(super) struct FanOut {
    /// From the beginning of a write until one watcher had it, for each watcher and write.
    pub(super) each: Samples,
    /// Until the last one had it, for each write.
    pub(super) last: Samples,
}

/// Writes for `time`, the next value when all watchers have the last.
///
/// # Errors
/// When a write fails, or a watcher ends.
pub(super) async fn measure<S: Watch>(
    writer: &mut impl Write,
    watchers: Vec<S>,
    time: Duration,
) -> anyhow::Result<FanOut> {
    let count = watchers.len();
    let (saw, mut seen) = mpsc::channel(count.max(1));
    let mut watching = JoinSet::new();
    for mut watcher in watchers {
        let saw = saw.clone();
        watching.spawn(async move {
            loop {
                watcher.next().await?;
                // Whoever counts is gone: it was enough.
                if saw.send(Instant::now()).await.is_err() {
                    return anyhow::Ok(());
                }
            }
        });
    }
    drop(saw);
    let (mut each, mut last) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < time {
        let written = Instant::now();
        writer.write().await?;
        let mut latest = Duration::ZERO;
        for _ in 0..count {
            let at: Instant = tokio::select! {
                at = seen.recv() => at.context("nobody watches any more")?,
                Some(ended) = watching.join_next() => {
                    ended.context("a watcher panicked")??;
                    anyhow::bail!("a watcher ended");
                }
            };
            let took = at.saturating_duration_since(written);
            each.push(took);
            latest = latest.max(took);
        }
        last.push(latest);
    }
    Ok(FanOut { each: each.into_iter().collect(), last: last.into_iter().collect() })
}
