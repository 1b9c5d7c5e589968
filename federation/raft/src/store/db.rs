//! The storage engine: opening a data directory safely, and the few operations that the log and the snapshots need.
//! The only module that calls sled.
//!
//! Every mutation goes to sled's own log in the order it was made, and a crash keeps a prefix of that order; so a
//! flush makes everything before it durable, and an unflushed write can only be lost together with all after it.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus_client::metrics::histogram::Histogram;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::{decode, encode};
use super::durable::Durable;
use super::error::StoreError;
use super::flush::{Flusher, Reached};
use super::identity::{FORMAT, Marker, StoreIdentity};
use super::mark::{Mark, MarkFile};
use crate::types::Vote;

/// sled keeps this much of the log in memory; the log is read back only by lagging followers.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// The plain file that names the owner.
const MARKER: &str = "isthmus-server";
/// The storage engine's own directory.
const ENGINE: &str = "raft.sled";

const META_IDENTITY: &str = "identity";

/// An open data directory. Cheap to clone; sled's lock is held until the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Db {
    db: sled::Db,
    /// Vote, committed and purged log ids, identity.
    meta: sled::Tree,
    /// Entries by big-endian index.
    log: sled::Tree,
    /// The last snapshot.
    pub(super) snapshot: sled::Tree,
    flusher: Arc<Flusher>,
    /// As it was found.
    mark: Mark,
    dir: Arc<Path>,
}

impl Db {
    /// Opens or creates `dir` for `identity`. `flushes` is told how long each flush takes.
    pub(crate) fn open(dir: &Path, identity: &StoreIdentity, flushes: Histogram) -> Result<Self, StoreError> {
        let file = |path: &Path, doing| {
            let path = path.to_owned();
            move |source| StoreError::File { path, doing, source }
        };
        std::fs::create_dir_all(dir).map_err(file(dir, "created"))?;
        let (marker, engine) = (dir.join(MARKER), dir.join(ENGINE));
        let marked = match std::fs::read_to_string(&marker) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(file(&marker, "read")(error)),
        };
        if let Some(text) = &marked {
            check_marker(dir, text, identity)?;
            if !engine.exists() {
                return Err(StoreError::Lost { path: dir.to_owned() });
            }
        }

        let config = sled::Config::new().path(&engine).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(|error| match error {
            sled::Error::Io(io) if is_locked(&io) => StoreError::InUse { path: dir.to_owned() },
            sled::Error::Corruption { .. } => {
                StoreError::damaged(dir, "what the storage engine must have to read its file".to_owned())
            }
            other => StoreError::engine("opening the log")(other),
        })?;
        let tree = |name: &str| db.open_tree(name).map_err(StoreError::engine("opening a tree"));
        let (meta, log, snapshot) = (tree("meta")?, tree("log")?, tree("snapshot")?);
        let marks = MarkFile::open(dir, marked.is_none()).map_err(|source| {
            StoreError::damaged(dir, format!("the mark of what its log reaches ({source})"))
        })?;
        let mark = marks.mark();
        let flusher = Arc::new(Flusher::start(db.clone(), &engine, marks, flushes)?);
        let this = Self { db, meta, log, snapshot, flusher, mark, dir: dir.into() };

        match this.meta.get(META_IDENTITY).map_err(StoreError::engine("reading the identity"))? {
            Some(text) => check_marker(dir, &String::from_utf8_lossy(&text), identity)?,
            // The marker is written last: an engine without an identity under a marker is not the one that was there.
            None if marked.is_some() => return Err(StoreError::Lost { path: dir.to_owned() }),
            None => {
                let text = Marker::text(identity);
                this.meta
                    .insert(META_IDENTITY, text.as_bytes())
                    .map_err(StoreError::engine("writing the identity"))?;
                this.flush_now("writing the identity")?;
            }
        }
        if marked.is_none() {
            federation_kit::files::write_atomic(&marker, Marker::text(identity).as_bytes(), 0o600)
                .map_err(|error| file(&marker, "written")(std::io::Error::other(error)))?;
        }
        Ok(this)
    }

    /// Bytes on disk.
    pub(crate) fn size_on_disk(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
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

    fn flush_now(&self, doing: &'static str) -> Result<(), StoreError> {
        self.db.flush().map(|_| ()).map_err(StoreError::engine(doing))
    }

    /// One small value.
    pub(super) fn get<T: DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, StoreError> {
        let found = self.meta.get(key).map_err(StoreError::engine("reading a value"))?;
        let value = found.map(|bytes| decode(&bytes));
        value.transpose().map_err(|source| StoreError::Corrupt { what: key.to_owned(), source })
    }

    /// Writes one small value, without flushing.
    pub(super) fn put<T: Serialize>(&self, key: &'static str, value: &T) -> Result<(), StoreError> {
        let bytes = encode(value).map_err(|source| StoreError::Encode { what: key, source })?;
        self.meta.insert(key, bytes).map(|_| ()).map_err(StoreError::engine("writing a value"))
    }

    /// Writes encoded entries as one atomic batch, without flushing.
    pub(super) fn append(&self, entries: impl IntoIterator<Item = (u64, Vec<u8>)>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (index, bytes) in entries {
            batch.insert(&index.to_be_bytes(), bytes);
        }
        self.log.apply_batch(batch).map_err(StoreError::engine("appending to the log"))
    }

    /// The encoded entries in `[start, end)` that are there, in order.
    pub(super) fn entries(
        &self,
        start: u64,
        end: Option<u64>,
    ) -> impl Iterator<Item = Result<(u64, sled::IVec), StoreError>> + use<> {
        let from = start.to_be_bytes();
        // An empty range is legal for openraft and a panic in a BTreeMap; sled takes it as empty.
        let range = match end {
            Some(end) => self.log.range(from..end.max(start).to_be_bytes()),
            None => self.log.range(from..),
        };
        range.map(|found| {
            let (key, bytes) = found.map_err(StoreError::engine("reading the log"))?;
            Ok((index_of(&key), bytes))
        })
    }

    /// The last entry that is there, encoded.
    pub(super) fn last_entry(&self) -> Result<Option<(u64, sled::IVec)>, StoreError> {
        let last = self.log.last().map_err(StoreError::engine("reading the log"))?;
        Ok(last.map(|(key, bytes)| (index_of(&key), bytes)))
    }

    /// Removes the entries in `[start, end)` as one atomic batch, without flushing.
    pub(super) fn remove(&self, start: u64, end: Option<u64>) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for entry in self.entries(start, end) {
            batch.remove(&entry?.0.to_be_bytes());
        }
        self.log.apply_batch(batch).map_err(StoreError::engine("removing from the log"))
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

/// sled reports a held lock as an `Other` error that wraps `WouldBlock`'s text.
fn is_locked(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}
