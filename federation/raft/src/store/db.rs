//! An open data directory: opening it safely, and the few operations that the log and the snapshots need.
//!
//! Every mutation goes to the engine's own log in the order it was made, and a crash keeps a prefix of that order; so a
//! flush makes everything before it durable, and an unflushed write can only be lost together with all after it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{decode, encode};
use super::durable::Durable;
use super::engine::{Disk, Engine, OpenError, Runner, Tree, Write};
use super::error::StoreError;
use super::flush::{Flusher, Reached};
use super::identity::{FORMAT, Marker, StoreIdentity};
use super::mark::{Mark, MarkFile};
use crate::planted::{Bug, Planted};
use crate::types::{StoreId, Vote};

const META_IDENTITY: &str = "identity";
const META_STORE: &str = "store";

/// An open data directory. Cheap to clone; the engine's lock is held until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    engine: Arc<dyn Engine>,
    flusher: Arc<Flusher>,
    runner: Runner,
    /// As it was found.
    mark: Mark,
    dir: Arc<Path>,
    planted: Planted,
}

impl Db {
    /// Opens or creates what is on `disk` for `identity`. `flushes` is told how long each flush takes.
    pub(crate) fn open(
        disk: &dyn Disk,
        identity: &StoreIdentity,
        flushes: Histogram,
    ) -> Result<Self, StoreError> {
        let dir = disk.path();
        let marker = |doing| {
            let path = dir.to_owned();
            move |source| StoreError::File { path, doing, source }
        };
        let marked = disk.marker().map_err(marker("read"))?;
        if let Some(text) = &marked {
            check_marker(dir, text, identity)?;
            if !disk.has_engine() {
                return Err(StoreError::Lost { path: dir.to_owned() });
            }
        }

        let engine = disk.engine().map_err(|error| match error {
            OpenError::InUse => StoreError::InUse { path: dir.to_owned() },
            OpenError::Damaged => {
                StoreError::damaged(dir, "what the storage engine must have to read its file".to_owned())
            }
            OpenError::Engine(error) => StoreError::engine("opening the log")(error),
        })?;
        let engine: Arc<dyn Engine> = engine.into();
        let sectors = disk.sectors(marked.is_none());
        let marks =
            sectors.and_then(|sectors| MarkFile::open(sectors, marked.is_none())).map_err(|source| {
                StoreError::damaged(dir, format!("the mark of what its log reaches ({source})"))
            })?;
        let mark = marks.mark();
        let runner = disk.runner();
        let flusher = Arc::new(Flusher::start(Arc::clone(&engine), runner, dir, marks, flushes)?);
        let this = Self { engine, flusher, runner, mark, dir: dir.into(), planted: Planted::default() };

        let found = this.engine.get(Tree::Meta, META_IDENTITY.as_bytes());
        match found.map_err(StoreError::engine("reading the identity"))? {
            Some(text) => check_marker(dir, &String::from_utf8_lossy(&text), identity)?,
            // The marker is written last: an engine without an identity under a marker is not the one that was there.
            None if marked.is_some() => return Err(StoreError::Lost { path: dir.to_owned() }),
            None => {
                let failed = StoreError::engine("writing the identity");
                let text = Marker::text(identity).into_bytes();
                let written = this.engine.apply(Tree::Meta, vec![(META_IDENTITY.into(), Some(text))]);
                written.and_then(|()| this.engine.flush_now()).map_err(failed)?;
            }
        }
        if marked.is_none() {
            disk.write_marker(&Marker::text(identity)).map_err(marker("written"))?;
        }
        Ok(this)
    }

    /// The name of what is on this disk: `fresh`, if it has none yet.
    pub(super) fn named(&self, fresh: StoreId) -> Result<StoreId, StoreError> {
        if let Some(id) = self.get(META_STORE)? {
            return Ok(id);
        }
        // On disk before anybody hears of it.
        self.put(META_STORE, &fresh)?;
        self.flush_now("writing its name")?;
        Ok(fresh)
    }

    /// The same, with a defect.
    pub(crate) fn with(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// Whether it has this defect.
    pub(super) fn has(&self, bug: Bug) -> bool {
        self.planted.has(bug)
    }

    /// Bytes on disk.
    pub(crate) fn size_on_disk(&self) -> u64 {
        self.engine.size_on_disk()
    }

    /// On what work runs that takes long.
    pub(super) fn runner(&self) -> Runner {
        self.runner
    }

    /// Makes everything written so far durable.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.flusher.flush(Reached::Same).await
    }

    /// The same, and from then on to have lost what was `reached` is damage.
    pub(super) async fn flush_reaching(&self, reached: Reached) -> Result<(), StoreError> {
        self.flusher.flush(reached).await
    }

    /// Compares what is there with what the mark said when this was opened.
    pub(super) fn check(&self, vote: Option<Vote>, last: Option<u64>) -> Result<(), StoreError> {
        let Mark { vote: voted, last: reached } = self.mark;
        let vote = vote.unwrap_or_default();
        // Votes of one term for different candidates are not ordered.
        if vote.partial_cmp(&voted).is_none_or(Ordering::is_lt) {
            return Err(StoreError::damaged(&self.dir, format!("its vote {voted}, and has {vote}")));
        }
        let found = last.unwrap_or_default();
        if found < reached {
            return Err(StoreError::damaged(
                &self.dir,
                format!("entries {} to {reached} of its log", found + 1),
            ));
        }
        Ok(())
    }

    /// An error about this directory.
    pub(super) fn damaged(&self, lost: String) -> StoreError {
        StoreError::damaged(&self.dir, lost)
    }

    /// Begins to make entries durable that were just written.
    pub(super) fn flush_entries(&self, first: u64, last: u64) -> Result<(), StoreError> {
        self.flusher.flush_entries(first, last)
    }

    /// Which entries wait for the disk.
    pub(crate) fn durable(&self) -> Durable {
        self.flusher.durable()
    }

    /// Makes everything written so far durable, and blocks meanwhile.
    pub(super) fn flush_now(&self, doing: &'static str) -> Result<(), StoreError> {
        self.engine.flush_now().map_err(StoreError::engine(doing))
    }

    /// One small value.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, StoreError> {
        let found =
            self.engine.get(Tree::Meta, key.as_bytes()).map_err(StoreError::engine("reading a value"))?;
        let value = found.map(|bytes| decode(&bytes));
        value.transpose().map_err(|source| StoreError::Corrupt { what: key.to_owned(), source })
    }

    /// Writes one small value, without flushing.
    pub(super) fn put<T: Serialize>(&self, key: &'static str, value: &T) -> Result<(), StoreError> {
        let bytes = encode(value).map_err(|source| StoreError::Encode { what: key, source })?;
        let write = (key.into(), Some(bytes));
        self.engine.apply(Tree::Meta, vec![write]).map_err(StoreError::engine("writing a value"))
    }

    /// Writes encoded entries as one atomic batch, without flushing.
    pub(super) fn append(&self, entries: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Result<(), StoreError> {
        let writes = entries.into_iter().map(|(index, bytes)| (index.to_be_bytes().into(), Some(bytes)));
        self.engine.apply(Tree::Log, writes.collect()).map_err(StoreError::engine("appending to the log"))
    }

    /// The encoded entries in `[start, end)` that are there, in order.
    pub(super) fn entries(
        &self,
        start: u64,
        end: Option<u64>,
    ) -> impl Iterator<Item = Result<(u64, Vec<u8>), StoreError>> + use<> {
        let end = end.map(u64::to_be_bytes);
        let range = self.engine.range(Tree::Log, &start.to_be_bytes(), end.as_ref().map(<[u8; 8]>::as_slice));
        range.map(|found| {
            let (key, bytes) = found.map_err(StoreError::engine("reading the log"))?;
            Ok((index_of(&key), bytes))
        })
    }

    /// The last entry that is there, encoded.
    pub(super) fn last_entry(&self) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
        let last = self.engine.last(Tree::Log).map_err(StoreError::engine("reading the log"))?;
        Ok(last.map(|(key, bytes)| (index_of(&key), bytes)))
    }

    /// Removes the entries in `[start, end)` as one atomic batch, without flushing.
    pub(super) fn remove(&self, start: u64, end: Option<u64>) -> Result<(), StoreError> {
        let writes: Result<Vec<Write>, StoreError> =
            self.entries(start, end).map(|entry| Ok((entry?.0.to_be_bytes().into(), None))).collect();
        self.engine.apply(Tree::Log, writes?).map_err(StoreError::engine("removing from the log"))
    }

    /// One stored value of the snapshot.
    pub(super) fn piece(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.engine.get(Tree::Snapshot, key).map_err(StoreError::engine("reading the snapshot"))
    }

    /// Writes pieces of the snapshot as one atomic batch, without flushing.
    pub(super) fn put_pieces(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.engine.apply(Tree::Snapshot, writes).map_err(StoreError::engine("writing the snapshot"))
    }
}

/// Keys are always eight bytes; a shorter one can only be damage, and sorts where the entry check will name it.
fn index_of(key: &[u8]) -> u64 {
    key.iter().take(8).fold(0, |index, byte| (index << 8) | u64::from(*byte))
}

fn check_marker(dir: &Path, text: &str, expected: &StoreIdentity) -> Result<(), StoreError> {
    let path: PathBuf = dir.to_owned();
    match Marker::parse(text) {
        Some(Marker { format, identity: None }) => {
            Err(StoreError::NewerFormat { path, found: format, supported: FORMAT })
        }
        Some(Marker { identity: Some(found), .. }) if &found != expected => {
            Err(StoreError::Foreign { path, found, expected: expected.clone() })
        }
        Some(_) => Ok(()),
        None => Err(StoreError::Corrupt {
            what: "identity of the data directory".to_owned(),
            source: super::codec::CodecError::Empty,
        }),
    }
}
