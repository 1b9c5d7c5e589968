//! Keeps the [papers](super::papers) of the data directory somewhere that outlives it.

use std::sync::Arc;
use std::time::Duration;

use federation_kit::backoff::Backoff;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::data_dir::{DataDir, DataDirError};
use super::papers::{KeepPapers, Kept, Papers, PapersError, ours};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Copies the papers whenever one of them is written. One that cannot be kept is told and tried again; meanwhile the
/// agent goes on with those on disk.
#[derive(Debug)]
pub struct Mirror {
    data: Arc<DataDir>,
    keeper: Arc<dyn KeepPapers>,
    kept: Kept,
    problem: watch::Sender<Option<String>>,
    equal: Gauge,
}

/// Why the papers are not kept.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Those on disk cannot be read.
    #[error(transparent)]
    Disk(#[from] DataDirError),
    /// The place does not take them.
    #[error(transparent)]
    Keeper(#[from] PapersError),
    /// No answer.
    #[error("no answer within {} s", ATTEMPT.as_secs())]
    TimedOut,
    /// This agent was started without being able to look, and what is kept is not its own. To replace it would cut off
    /// everything that trusts the other one, so the process ends: the next one takes what is kept.
    #[error("other papers are kept than this agent was started with; the next start takes the kept ones")]
    NotOurs,
}

impl Mirror {
    /// A mirror of `data`. `kept` is what its place holds, as far as that is known.
    pub fn new(data: Arc<DataDir>, keeper: Arc<dyn KeepPapers>, kept: Kept, registry: &mut Registry) -> Self {
        let equal = Gauge::default();
        registry.register(
            "isthmus_agent_papers_kept",
            "1 while the papers of this agent are kept outside its data directory",
            equal.clone(),
        );
        let kept = match kept {
            Kept::Known(papers) => Kept::Known(papers.map(ours)),
            Kept::Unknown => Kept::Unknown,
        };
        Self { data, keeper, kept, problem: watch::Sender::new(None), equal }
    }

    /// Why the last attempt failed; none if it did not.
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// One attempt to make the copy equal. Writes nothing if it is.
    ///
    /// # Errors
    /// See [`MirrorError`]; also told by [`Mirror::problem`].
    pub async fn once(&mut self) -> Result<(), MirrorError> {
        let done = tokio::time::timeout(ATTEMPT, self.attempt()).await.unwrap_or(Err(MirrorError::TimedOut));
        let problem = done.as_ref().err().map(|error| chain(error).to_string());
        self.equal.set(i64::from(done.is_ok()));
        self.problem.send_if_modified(|last| std::mem::replace(last, problem.clone()) != problem);
        done
    }

    async fn attempt(&mut self) -> Result<(), MirrorError> {
        if let Kept::Unknown = self.kept {
            let found = self.keeper.load().await?.map(ours);
            if found.as_ref().is_some_and(|found| !self.data.is_owner_of(found)) {
                return Err(MirrorError::NotOurs);
            }
            self.kept = Kept::Known(found);
        }
        let data = Arc::clone(&self.data);
        // Blocking reads of a few small files; a runtime that is going down does not do them any more.
        let Ok(read) = tokio::task::spawn_blocking(move || data.papers()).await else { return Ok(()) };
        let now: Papers = read?;
        if self.kept.papers() != Some(&now) {
            self.keeper.save(&now).await?;
            tracing::info!(papers = now.len(), "kept the papers of this agent outside its data directory");
            self.kept = Kept::Known(Some(now));
        }
        Ok(())
    }

    /// Keeps every change until the drain.
    ///
    /// # Errors
    /// [`MirrorError::NotOurs`]. Any other is told, and tried again.
    pub async fn run(mut self, drain: DrainWatcher) -> Result<(), MirrorError> {
        let mut written = self.data.written();
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        loop {
            let attempt = tokio::select! {
                attempt = self.once() => attempt,
                () = drain.wait() => return Ok(()),
            };
            let failed = match attempt {
                Ok(()) => {
                    backoff.reset();
                    false
                }
                Err(error @ MirrorError::NotOurs) => return Err(error),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "papers not kept, will try again");
                    true
                }
            };
            tokio::select! {
                () = backoff.wait(), if failed => {}
                changed = written.changed() => if changed.is_err() { return Ok(()) },
                () = drain.wait() => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
