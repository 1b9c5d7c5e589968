//! The cluster's own objects on disk, for a start while the API server is gone.
//!
//! A file is a line of JSON (what it is, its version, when, the SHA-256 of the rest) and a JSON document. It is checked
//! whole before any of it counts. It holds no Secret and no more than the federation is told anyway.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agent_plan::objects::{LocalObjects, ServiceExport};
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use federation_kit::files::{self, FileError};
use federation_model::{Namespace, ServiceId};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

/// What every snapshot says it is.
const WHAT: &str = "isthmus kubernetes objects";
/// The version that is written, and the only one so far.
const VERSION: u32 = 1;
/// Longest file that is read.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// Between two writes.
const PAUSE: Duration = Duration::from_secs(1);

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Snapshot {
    pub(super) objects: LocalObjects,
    /// How old it was when it was read; nothing where the clock went back.
    pub(super) age_at_start: Duration,
}

/// Why there is no snapshot although there is a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("it is not a snapshot of Kubernetes objects, or it is damaged")]
    Damaged,
    #[error("it has version {0}, which this agent does not know")]
    Version(u32),
    #[error("it does not hold what it should")]
    Contents(#[source] serde_json::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    what: String,
    version: u32,
    written_unix_millis: u64,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    namespaces: BTreeSet<Namespace>,
    services: Vec<(ServiceId, Service)>,
    slices: Vec<(ServiceId, String, EndpointSlice)>,
    exports: Vec<(ServiceId, ServiceExport)>,
}

/// The same, borrowed.
#[derive(Debug, Serialize)]
struct ContentsRef<'a> {
    namespaces: &'a BTreeSet<Namespace>,
    services: Vec<(&'a ServiceId, &'a Service)>,
    slices: Vec<(&'a ServiceId, &'a String, &'a EndpointSlice)>,
    exports: Vec<(&'a ServiceId, &'a ServiceExport)>,
}

/// Reads a snapshot; `None` if there is no file.
///
/// # Errors
/// When the file cannot be read or is not whole.
pub(super) fn read(path: &Path) -> Result<Option<Snapshot>, SnapshotError> {
    let bytes = match files::read_bounded(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let (Some(head), Some(body)) = (parts.next(), parts.next()) else { return Err(SnapshotError::Damaged) };
    let head: Head = serde_json::from_slice(head).map_err(|_| SnapshotError::Damaged)?;
    if head.what != WHAT {
        return Err(SnapshotError::Damaged);
    }
    if head.version != VERSION {
        return Err(SnapshotError::Version(head.version));
    }
    if head.sha256 != digest(body) {
        return Err(SnapshotError::Damaged);
    }
    let contents: Contents = serde_json::from_slice(body).map_err(SnapshotError::Contents)?;
    let written = UNIX_EPOCH + Duration::from_millis(head.written_unix_millis);
    Ok(Some(Snapshot {
        objects: contents.into_objects(),
        age_at_start: written.elapsed().unwrap_or_default(),
    }))
}

/// Writes a snapshot, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(path: &Path, objects: &LocalObjects) -> Result<(), FileError> {
    let body = serde_json::to_vec(&ContentsRef::of(objects)).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let head = Head {
        what: WHAT.to_owned(),
        version: VERSION,
        written_unix_millis: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        sha256: digest(&body),
    };
    let mut bytes = serde_json::to_vec(&head).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(&body);
    files::write_atomic(path, &bytes, 0o600)
}

/// Writes every change, at most one a second, and the last one at the drain.
pub(super) async fn keep(
    path: PathBuf,
    mut live: watch::Receiver<Option<Arc<agent_plan::SourceState>>>,
    drain: DrainWatcher,
) {
    let mut last: Option<Arc<agent_plan::SourceState>> = None;
    loop {
        let draining = tokio::select! {
            changed = live.changed() => changed.is_err(),
            () = drain.wait() => true,
        };
        let now = live.borrow_and_update().clone();
        if let Some(now) = now
            && last.as_ref().is_none_or(|last| !same(&last.objects, &now.objects))
        {
            last = Some(Arc::clone(&now));
            let to = path.clone();
            match tokio::task::spawn_blocking(move || write(&to, &now.objects)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(error = %chain(&error), "cannot write the snapshot of objects");
                }
                Err(failed) if failed.is_panic() => std::panic::resume_unwind(failed.into_panic()),
                Err(_) => return,
            }
        }
        if draining {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = drain.wait() => {}
        }
    }
}

/// Whether two are certainly the same; what is shared is not compared.
fn same(a: &LocalObjects, b: &LocalObjects) -> bool {
    fn shared<K: Eq, T>(
        a: &std::collections::BTreeMap<K, Arc<T>>,
        b: &std::collections::BTreeMap<K, Arc<T>>,
    ) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && Arc::ptr_eq(a.1, b.1))
    }
    a.namespaces == b.namespaces
        && shared(&a.services, &b.services)
        && shared(&a.slices, &b.slices)
        && shared(&a.exports, &b.exports)
}

impl Contents {
    fn into_objects(self) -> LocalObjects {
        let mut objects = LocalObjects { namespaces: self.namespaces, ..LocalObjects::default() };
        objects.services = self.services.into_iter().map(|(id, service)| (id, Arc::new(service))).collect();
        objects.exports = self.exports.into_iter().map(|(id, export)| (id, Arc::new(export))).collect();
        for (service, name, slice) in self.slices {
            Arc::make_mut(objects.slices.entry(service).or_default()).insert(name, Arc::new(slice));
        }
        objects
    }
}

impl<'a> ContentsRef<'a> {
    fn of(objects: &'a LocalObjects) -> Self {
        let slices = objects.slices.iter();
        Self {
            namespaces: &objects.namespaces,
            services: objects.services.iter().map(|(id, service)| (id, service.as_ref())).collect(),
            slices: slices
                .flat_map(|(id, slices)| slices.iter().map(move |(name, slice)| (id, name, slice.as_ref())))
                .collect(),
            exports: objects.exports.iter().map(|(id, export)| (id, export.as_ref())).collect(),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
