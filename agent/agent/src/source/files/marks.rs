//! What inotify says of single files, so that none is read in the middle of being written or replaced.
//!
//! A change is believed when its writer has closed the file or renamed it into place. Truncating and filling a file are
//! two steps, and what is read between them is often valid YAML with half of its documents missing: reading it would
//! withdraw services. Events come a little after what they tell of, so their absence proves nothing: a change that
//! no event vouches for waits until the file has been left alone for a while.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};

/// The marks of one directory. Written by the thread that receives events, read by the reader.
#[derive(Debug)]
pub(super) struct Marks {
    directory: PathBuf,
    by_name: Mutex<BTreeMap<OsString, Mark>>,
}

/// The last thing that was heard of a file. A file that was renamed away has no mark: whether it is gone or being
/// replaced is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Somebody has it open and wrote to it.
    Writing,
    /// It was closed after writing, or renamed into place, and has not been read since.
    Complete,
    /// It was deleted.
    Removed,
}

impl Marks {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, by_name: Mutex::default() }
    }

    pub(super) fn get(&self, name: &OsStr) -> Option<Mark> {
        self.lock().get(name).copied()
    }

    /// Takes the word that the file is complete, if there is one. Taken before reading: a write that is completed
    /// during the reading gives its word anew.
    pub(super) fn take_complete(&self, name: &OsStr) -> bool {
        let mut by_name = self.lock();
        let complete = by_name.get(name) == Some(&Mark::Complete);
        if complete {
            by_name.remove(name);
        }
        complete
    }

    /// Puts back a word that was taken and could not be used, unless something newer was heard.
    pub(super) fn put_back(&self, name: &OsStr) {
        self.lock().entry(name.to_owned()).or_insert(Mark::Complete);
    }

    /// Forgets files that are not there any more, which bounds the memory.
    pub(super) fn keep_only(&self, keep: impl Fn(&OsStr) -> bool) {
        self.lock().retain(|name, _| keep(name));
    }

    /// Takes note of an event. Says whether the directory should be read now.
    pub(super) fn note(&self, event: &notify::Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        // Every path is noted, whatever the one before it asked for.
        let mut wake = false;
        for path in &event.paths {
            wake |= self.note_path(event.kind, path);
        }
        wake
    }

    fn note_path(&self, kind: EventKind, path: &Path) -> bool {
        if path == self.directory {
            return matches!(
                kind,
                EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
            );
        }
        let Some(name) = path.file_name().filter(|_| path.parent() == Some(&self.directory)) else {
            return false;
        };
        let (mark, wake) = match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => (Some(Mark::Complete), true),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => (Some(Mark::Complete), true),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => (None, true),
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => (Some(Mark::Writing), false),
            // A link is there whole; a file that was created is about to be written.
            EventKind::Create(_) if is_link(path) => (Some(Mark::Complete), true),
            EventKind::Create(_) => (Some(Mark::Writing), false),
            EventKind::Modify(ModifyKind::Metadata(_)) => return true,
            EventKind::Remove(_) => (Some(Mark::Removed), true),
            _ => return false,
        };
        match mark {
            Some(mark) => self.lock().insert(name.to_owned(), mark),
            None => self.lock().remove(name),
        };
        wake
    }

    /// Marks are plain values: a panic elsewhere cannot leave them half changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<OsString, Mark>> {
        self.by_name.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_link(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    path.symlink_metadata().is_ok_and(|found| found.is_symlink() || found.is_dir() || found.nlink() > 1)
}
