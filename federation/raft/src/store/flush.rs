//! Makes what was written durable: one thread for each data directory, and one flush for all who wait for one.
//!
//! The engine itself only waits until the kernel has handed its pages to the disk, which a power cut may still undo: the
//! disk's own cache is not emptied, nor is the file's map of blocks written. So its file is synced besides.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::oneshot;

use super::durable::{Durable, Writing};
use super::error::StoreError;
use super::mark::{Mark, MarkFile};
use crate::types::Vote;

/// The engine's file, in its directory.
const FILE: &str = "db";

/// Where one asks for a flush. The thread ends with it, and is waited for.
#[derive(Debug)]
pub(super) struct Flusher {
    asked: Option<mpsc::Sender<Asked>>,
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
    Engine(sled::Error),
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
    /// Starts the thread for an open engine in `dir`, with everything that was found there on disk: what a killed
    /// server wrote may so far be known to the kernel alone, and is about to be built upon.
    pub(super) fn start(
        db: sled::Db,
        dir: &Path,
        marks: MarkFile,
        took: Histogram,
    ) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let failed = |doing| {
            let path = path.clone();
            move |source| StoreError::File { path, doing, source }
        };
        let file = File::open(&path).map_err(failed("opened"))?;
        let work = Work { db, file, path: path.clone(), marks, took, writing: Arc::new(Writing::new()) };
        work.flush()?;
        let writing = Arc::clone(&work.writing);
        let (asked, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name("store-flush".to_owned());
        let thread = thread.spawn(move || work.run(&waiting)).map_err(failed("flushed by a thread"))?;
        Ok(Self { asked: Some(asked), thread: Some(thread), writing })
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

    /// Only a panic ends the thread before this is gone.
    fn ask(&self, asked: Asked) -> Result<(), StoreError> {
        let sent = self.asked.as_ref().is_some_and(|thread| thread.send(asked).is_ok());
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

/// What the thread holds.
struct Work {
    db: sled::Db,
    file: File,
    path: PathBuf,
    marks: MarkFile,
    took: Histogram,
    writing: Arc<Writing>,
}

impl Work {
    fn run(mut self, waiting: &mpsc::Receiver<Asked>) {
        while let Ok(first) = waiting.recv() {
            // Whoever asks from here on may have written after the flush has begun: the next one is theirs.
            let all: Vec<Asked> = std::iter::once(first).chain(waiting.try_iter()).collect();
            let mark = all.iter().fold(self.marks.mark(), reached);
            let flushed = self.flush().and_then(|()| self.mark(mark));
            for asked in all {
                match asked {
                    // Whoever asked may have been dropped.
                    Asked::Answer(_, answer) => drop(answer.send(flushed.clone())),
                    Asked::Entries(upto) => self.writing.flushed(upto, flushed.clone()),
                }
            }
        }
    }

    fn flush(&self) -> Result<(), Failed> {
        let begun = Instant::now();
        self.db.flush().map_err(Failed::Engine)?;
        let synced = self.file.sync_data();
        self.took.observe(begun.elapsed().as_secs_f64());
        synced.map_err(|error| Failed::File(self.path.clone(), "synced", Arc::new(error)))
    }

    /// Only of what is on disk.
    fn mark(&mut self, mark: Mark) -> Result<(), Failed> {
        let failed = |error| Failed::File(self.path.clone(), "marked", Arc::new(error));
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
