//! The inotify watches of the directory and of its parent, which tells when the directory itself is replaced.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Config, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use super::marks::Marks;

/// Keeps the watches in place. Without inotify it keeps none, and the directory is polled.
#[derive(Debug)]
pub(super) struct Watcher {
    inner: Result<RecommendedWatcher, notify::Error>,
    directory: PathBuf,
    /// Device and inode of the directory that is watched: another one of the same name needs another watch.
    watched: Option<(u64, u64)>,
    parent_watched: bool,
}

impl Watcher {
    /// Notes events in `marks` and calls `wake` when the directory should be read.
    pub(super) fn new(directory: &Path, marks: Arc<Marks>, wake: Arc<Notify>) -> Self {
        let handler = move |event: notify::Result<notify::Event>| {
            // An error means that events may be missing: look.
            if event.map_or(true, |event| marks.note(&event)) {
                wake.notify_one();
            }
        };
        let inner = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(true));
        Self { inner, directory: directory.to_owned(), watched: None, parent_watched: false }
    }

    /// Watches what has this name now. To be called before the directory is read, so that no change falls between.
    /// Says whether this is another directory than before. An error says why changes are only seen by polling.
    pub(super) fn renew(&mut self) -> Result<bool, String> {
        let inner = self.inner.as_mut().map_err(|error| error.to_string())?;
        if !self.parent_watched
            && let Some(parent) = self.directory.parent()
        {
            inner.watch(parent, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
            self.parent_watched = true;
        }
        let present = self.directory.metadata().ok().map(|found| (found.dev(), found.ino()));
        if present == self.watched {
            return Ok(false);
        }
        if self.watched.take().is_some() {
            // The kernel has usually dropped it with the directory already.
            let _ = inner.unwatch(&self.directory);
        }
        if present.is_some() {
            inner.watch(&self.directory, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
            self.watched = present;
        }
        Ok(present.is_some())
    }
}
