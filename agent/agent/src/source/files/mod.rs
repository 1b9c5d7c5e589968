//! The `files` source: a directory of ordinary Kubernetes YAML, watched.
//!
//! Reads `*.yaml`, `*.yml` and `*.json` of one directory (no subdirectories; links are followed): Namespace, Service,
//! EndpointSlice, ServiceExport and Lists of them. A change counts as soon as its writer has closed the file or
//! renamed it into place. A file with a mistake counts as it was before the mistake. A file that is removed, or whose
//! directory is replaced, takes its objects with it; a directory that is gone altogether takes nothing: somebody
//! unmounted it.
//!
//! Reading order: [`limits`] → `watcher` and `marks` (when to read) → `reader` (what to read, and the last good) →
//! `yaml` (bytes to located documents) → `object` (documents to objects) → `merge` (all files together).
//! Tests: beside each module, and with a real directory and inotify in `tests`.

pub mod limits;
mod marks;
mod merge;
mod object;
mod reader;
mod watcher;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use federation_kit::drain::DrainWatcher;
use tokio::sync::{Notify, watch};

use self::marks::Marks;
use self::reader::{Reader, Scan};
use self::watcher::Watcher;
use super::{Severity, SourceState};

/// The source, not yet reading.
#[derive(Debug)]
pub struct FilesSource {
    reader: Reader,
    wake: Arc<Notify>,
    state: watch::Sender<Arc<SourceState>>,
}

impl FilesSource {
    /// A source that will read `directory`, which need not exist yet.
    ///
    /// # Errors
    /// When the current directory, which a relative path starts from, cannot be found out.
    pub fn open(directory: &Path) -> std::io::Result<(Self, watch::Receiver<Arc<SourceState>>)> {
        // Events carry absolute paths. Links are kept: the link may be what is replaced.
        let directory = std::path::absolute(directory)?;
        let marks = Arc::new(Marks::new(directory.clone()));
        let wake = Arc::new(Notify::new());
        let watcher = Watcher::new(&directory, Arc::clone(&marks), Arc::clone(&wake));
        let (state, states) = watch::channel(Arc::default());
        Ok((Self { reader: Reader::new(directory, marks, watcher), wake, state }, states))
    }

    /// Reads at once, and again after every change, until the drain. Events that arrive during a reading cause one
    /// more; no time is waited for between an event and the reading.
    pub async fn run(mut self, drain: DrainWatcher) {
        loop {
            let Some((reader, scan)) = read(self.reader).await else { return };
            self.reader = reader;
            publish(&self.state, scan.state);
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(scan.look_again) => {}
                () = drain.wait() => return,
            }
        }
    }
}

/// One reading, off the runtime's threads. `None` if the runtime is going down.
async fn read(mut reader: Reader) -> Option<(Reader, Scan)> {
    let reading = tokio::task::spawn_blocking(move || {
        let scan = reader.scan();
        (reader, scan)
    });
    match reading.await {
        Ok(read) => Some(read),
        Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
        Err(_) => None,
    }
}

fn publish(states: &watch::Sender<Arc<SourceState>>, state: SourceState) {
    states.send_if_modified(|last| {
        if **last == state {
            return false;
        }
        for problem in state.problems.iter().filter(|problem| !last.problems.contains(problem)) {
            match problem.severity {
                Severity::Error => tracing::error!(%problem, "mistake in a file: its last good state counts"),
                Severity::Warning => tracing::warn!(%problem, "passed over"),
            }
        }
        *last = Arc::new(state);
        true
    });
}

#[cfg(test)]
mod tests;
