//! Many writers, each with one write under way.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::samples::Samples;

/// Writes one value after the other.
pub(super) trait Write: Send + 'static {
    /// Writes a new value; ends when it is acknowledged.
    fn write(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Load {
    /// How long each write took.
    pub(super) samples: Samples,
    time: Duration,
}

impl Load {
    /// Writes a second.
    pub(super) fn rate(&self) -> f64 {
        self.samples.count() as f64 / self.time.as_secs_f64()
    }
}

/// Lets all writers write for a tenth of `time`, and then for all of it, which counts.
pub(super) async fn measure<W: Write>(writers: &mut Vec<W>, time: Duration) -> anyhow::Result<Load> {
    run(writers, time / 10).await?;
    run(writers, time).await
}

/// Lets all writers write for `time`.
pub(super) async fn run<W: Write>(writers: &mut Vec<W>, time: Duration) -> anyhow::Result<Load> {
    let begun = Instant::now();
    let tasks: Vec<_> = writers
        .drain(..)
        .map(|mut writer| {
            tokio::spawn(async move {
                let mut took = Vec::new();
                while begun.elapsed() < time {
                    let asked = Instant::now();
                    writer.write().await?;
                    took.push(asked.elapsed());
                }
                anyhow::Ok((writer, took))
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let (writer, took) = task.await.context("a writer panicked")??;
        writers.push(writer);
        all.extend(took);
    }
    Ok(Load { samples: all.into_iter().collect(), time: begun.elapsed() })
}
