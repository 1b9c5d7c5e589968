//! What can be wrong with a server's data directory.

use std::path::{Path, PathBuf};

use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageIOError};

use super::codec::CodecError;
use super::engine::EngineError;
use super::identity::StoreIdentity;
use crate::types::StorageError;

/// Why the data directory cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("data directory {path} is in use by another process")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It was made by another server, or for another clusterset.
    #[error("data directory {path} belongs to {found}, not to {expected}")]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        found: StoreIdentity,
        /// Who tried to open it.
        expected: StoreIdentity,
    },
    /// A newer version of this program has written it.
    #[error("data directory {path} has format {found}, and this program reads up to {supported}; upgrade it")]
    NewerFormat {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this program reads.
        supported: u32,
    },
    /// The directory says that it held a log, and the log is gone. A server that forgot its vote could vote twice in
    /// one term, so it must not start as if it were new.
    #[error(
        "data directory {path} has lost its log; restore it, or remove the directory and the server's membership"
    )]
    Lost {
        /// The directory.
        path: PathBuf,
    },
    /// The directory has lost what it had on disk. A server that went on without it could undo what a majority agreed
    /// on, or vote twice in one term.
    #[error(
        "data directory {path} is damaged: it has lost {lost}; remove it, and the server from the members, and add the \
         server anew"
    )]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What it has lost, in words.
        lost: String,
    },
    /// The snapshot ends before the log begins: entries in between are gone.
    #[error("entries {after} to {purged} are in neither the snapshot nor the log")]
    Gap {
        /// The last index of the snapshot.
        after: u64,
        /// The last index purged from the log.
        purged: u64,
    },
    /// A stored value cannot be read.
    #[error("stored {what} is corrupt")]
    Corrupt {
        /// Which value.
        what: String,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// A stored entry is not the one its key says.
    #[error("log entry {key} holds the entry {found}")]
    Misplaced {
        /// The index it was stored under.
        key: u64,
        /// The index it carries.
        found: u64,
    },
    /// A value cannot be encoded.
    #[error("{what} cannot be encoded")]
    Encode {
        /// Which value.
        what: &'static str,
        /// Why.
        #[source]
        source: CodecError,
    },
    /// The storage engine failed: disk full, I/O error, damaged files.
    #[error("storage failed when {doing}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The engine's error.
        #[source]
        source: EngineError,
    },
    /// A backup that this server should begin with cannot be used.
    #[error("cannot begin with the backup {path}: {problem}; put right or remove that file")]
    Backup {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        problem: String,
    },
    /// The thread that makes writes durable has panicked.
    #[error("storage can no longer be flushed to disk")]
    NoFlusher,
    /// A file beside the storage engine cannot be read or written.
    #[error("{path} cannot be {doing}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn damaged(dir: &Path, lost: String) -> Self {
        Self::Damaged { path: dir.to_owned(), lost }
    }

    pub(crate) fn engine(doing: &'static str) -> impl FnOnce(EngineError) -> Self {
        move |source| Self::Engine { doing, source }
    }

    /// As openraft wants it: fatal to the node, which then stops.
    pub(crate) fn into_storage(self, subject: ErrorSubject<u64>, verb: ErrorVerb) -> StorageError {
        StorageError::IO { source: StorageIOError::new(subject, verb, AnyError::new(&self)) }
    }

    pub(crate) fn into_io(self) -> std::io::Error {
        std::io::Error::other(self)
    }
}
