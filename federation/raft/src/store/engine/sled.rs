//! The engine that servers use: sled.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Engine, OpenError, Pair, Tree, Write};

/// sled keeps this much of the log in memory; the log is read back only by lagging followers.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// The engine's file, in its directory.
const FILE: &str = "db";

/// The storage engine's own error, without naming the engine in this crate's API.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct EngineError(#[from] sled::Error);

impl EngineError {
    /// What a disk says.
    #[must_use]
    pub fn io(error: io::Error) -> Self {
        Self(sled::Error::Io(error))
    }
}

/// An open database. sled's lock is held until it is dropped.
#[derive(Debug)]
pub(super) struct Sled {
    db: sled::Db,
    meta: sled::Tree,
    log: sled::Tree,
    snapshot: sled::Tree,
    /// Synced after each of sled's own flushes, which only wait until the kernel has handed its pages to the disk: a
    /// power cut may still undo that, since neither the disk's own cache is emptied nor the file's map of blocks written.
    file: File,
    path: PathBuf,
}

impl Sled {
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(|error| match error {
            sled::Error::Io(io) if is_locked(&io) => OpenError::InUse,
            sled::Error::Corruption { .. } => OpenError::Damaged,
            other => OpenError::Engine(EngineError(other)),
        })?;
        let tree = |name: &str| db.open_tree(name).map_err(|error| OpenError::Engine(EngineError(error)));
        let (meta, log, snapshot) = (tree("meta")?, tree("log")?, tree("snapshot")?);
        let path = dir.join(FILE);
        let file = File::open(&path)
            .map_err(|error| OpenError::Engine(EngineError::io(about(&path, "opened", &error))))?;
        Ok(Self { db, meta, log, snapshot, file, path })
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        match tree {
            Tree::Meta => &self.meta,
            Tree::Log => &self.log,
            Tree::Snapshot => &self.snapshot,
        }
    }
}

impl Engine for Sled {
    fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.tree(tree).get(key)?.map(|value| value.to_vec()))
    }

    fn range(
        &self,
        tree: Tree,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Box<dyn Iterator<Item = Result<Pair, EngineError>>> {
        // An empty range is legal for openraft and a panic in a BTreeMap; sled takes it as empty.
        let range = match to {
            Some(to) => self.tree(tree).range(from..to.max(from)),
            None => self.tree(tree).range(from..),
        };
        Box::new(range.map(|found| {
            let (key, value) = found?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn last(&self, tree: Tree) -> Result<Option<Pair>, EngineError> {
        Ok(self.tree(tree).last()?.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    /// One write is whole by itself. A batch begins with a record of its own, which is one more wait for the disk.
    fn apply(&self, tree: Tree, mut writes: Vec<Write>) -> Result<(), EngineError> {
        let tree = self.tree(tree);
        if let [(key, value)] = writes.as_mut_slice() {
            match value.take() {
                Some(value) => tree.insert(&*key, value)?,
                None => tree.remove(&*key)?,
            };
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        Ok(tree.apply_batch(batch)?)
    }

    fn flush_now(&self) -> Result<(), EngineError> {
        self.db.flush()?;
        self.file.sync_data().map_err(|error| EngineError::io(about(&self.path, "synced", &error)))
    }

    fn size_on_disk(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(0)
    }
}

fn about(path: &Path, doing: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be {doing}: {error}", path.display()))
}

/// sled reports a held lock as an `Other` error that wraps `WouldBlock`'s text.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}
