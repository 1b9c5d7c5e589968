//! Makes what was written durable: one worker for each data directory, and one flush for all who wait for one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc, oneshot};

use super::durable::{Durable, Writing};
use super::engine::{Engine, EngineError, Runner};
use super::error::StoreError;
use super::mark::{Mark, MarkFile};
use crate::types::Vote;

/// Where one asks for a flush. The worker ends with it, and if it is a thread is waited for.
#[derive(Debug)]
pub(super) struct Flusher {
    asked: Option<mpsc::UnboundedSender<Asked>>,
    thread: Option<JoinHandle<()>>,
    writing: Arc<Writing>,
}

/// Who wants to know that a flush has ended.
#[derive(Debug)]
enum Asked {
    Answer(Reached, oneshot::Sender<Result<(), Failed>>),
    /// Those who wait for entries up to this one.
    Entries(u64),
}

/// What the store will have reached with a flush, for the mark.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reached {
    /// What it had.
    Same,
    /// This entry is the last one of the log.
    Last(u64),
    /// This is the vote.
    Vote(Vote),
}

/// Why a flush failed: for everybody who waited for it.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    Engine(EngineError),
    File(PathBuf, &'static str, Arc<io::Error>),
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Engine(error) => Self::engine("flushing to disk")(error),
            Failed::File(path, doing, error) => {
                Self::File { path, doing, source: io::Error::new(error.kind(), error) }
            }
        }
    }
}

impl Flusher {
    /// Starts the worker for an open engine in `dir`, with everything that was found there on disk: what a killed
    /// server wrote may so far be known to the kernel alone, and is about to be built upon.
    pub(super) fn start(
        engine: Arc<dyn Engine>,
        runner: Runner,
        dir: &Path,
        marks: MarkFile,
        took: Histogram,
    ) -> Result<Self, StoreError> {
        engine.flush_now().map_err(StoreError::engine("flushing to disk"))?;
        let writing = Arc::new(Writing::new());
        let work = Work { engine, dir: dir.to_owned(), marks, took, writing: Arc::clone(&writing) };
        let (asked, waiting) = mpsc::unbounded_channel();
        let thread = match runner {
            Runner::Runtime => {
                tokio::spawn(work.run(waiting));
                None
            }
            Runner::Threads => {
                let failed =
                    |source| StoreError::File { path: dir.to_owned(), doing: "flushed by a thread", source };
                // It only waits on the channel.
                let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
                let thread = std::thread::Builder::new().name("store-flush".to_owned());
                Some(thread.spawn(move || runtime.block_on(work.run(waiting))).map_err(failed)?)
            }
        };
        Ok(Self { asked: Some(asked), thread, writing })
    }

    /// Waits until everything that was written before the call is durable.
    pub(super) async fn flush(&self, reached: Reached) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Asked::Answer(reached, answer))?;
        answered.await.map_err(|_| StoreError::NoFlusher)?.map_err(StoreError::from)
    }

    /// Begins to make these entries, which were just written, durable: [`Durable`] says when they are.
    pub(super) fn flush_entries(&self, first: u64, last: u64) -> Result<(), StoreError> {
        self.writing.written(first, last);
        self.ask(Asked::Entries(last))
    }

    pub(super) fn durable(&self) -> Durable {
        self.writing.durable()
    }

    /// Only a panic ends the worker before this is gone.
    fn ask(&self, asked: Asked) -> Result<(), StoreError> {
        let sent = self.asked.as_ref().is_some_and(|worker| worker.send(asked).is_ok());
        if sent { Ok(()) } else { Err(StoreError::NoFlusher) }
    }
}

impl Drop for Flusher {
    /// The thread holds the engine, and with it the lock of the directory.
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed; there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

/// What the worker holds.
struct Work {
    engine: Arc<dyn Engine>,
    dir: PathBuf,
    marks: MarkFile,
    took: Histogram,
    writing: Arc<Writing>,
}

impl Work {
    async fn run(mut self, mut waiting: mpsc::UnboundedReceiver<Asked>) {
        while let Some(first) = waiting.recv().await {
            // Whoever asks from here on may have written after the flush has begun: the next one is theirs.
            let all: Vec<Asked> =
                std::iter::once(first).chain(std::iter::from_fn(|| waiting.try_recv().ok())).collect();
            let mark = all.iter().fold(self.marks.mark(), reached);
            let flushed = self.flush().await.and_then(|()| self.mark(mark));
            for asked in all {
                match asked {
                    // Whoever asked may have been dropped.
                    Asked::Answer(_, answer) => drop(answer.send(flushed.clone())),
                    Asked::Entries(upto) => self.writing.flushed(upto, flushed.clone()),
                }
            }
        }
    }

    async fn flush(&self) -> Result<(), Failed> {
        let begun = Instant::now();
        let flushed = self.engine.flush().await;
        self.took.observe(begun.elapsed().as_secs_f64());
        flushed.map_err(Failed::Engine)
    }

    /// Only of what is on disk.
    fn mark(&mut self, mark: Mark) -> Result<(), Failed> {
        let failed = |error| Failed::File(self.dir.clone(), "marked", Arc::new(error));
        self.marks.write(mark).map_err(failed)
    }
}

/// In the order in which they were asked for.
fn reached(mark: Mark, asked: &Asked) -> Mark {
    match asked {
        Asked::Entries(last) | Asked::Answer(Reached::Last(last), _) => Mark { last: *last, ..mark },
        Asked::Answer(Reached::Vote(vote), _) => Mark { vote: *vote, ..mark },
        Asked::Answer(Reached::Same, _) => mark,
    }
}
