//! The agent's directory: whose it is, and that nobody else uses it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use federation_kit::exit::{Exit, Failure};
use federation_kit::files::{self, FileError};
use federation_model::{ClusterId, InstanceId, TrustDomain};
use serde::{Deserialize, Serialize};

/// Written now. Everything from 1 up to it can be read.
const VERSION: u32 = 1;
/// Largest file of ours that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1024 * 1024;

/// A directory that is ours until this is dropped. Mode 0700.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    instance: InstanceId,
    /// Locked; the kernel lets go of it when the process ends, however it ends.
    _lock: File,
}

/// What `agent.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    version: u32,
    clusterset: TrustDomain,
    cluster: ClusterId,
    instance: InstanceId,
}

/// Only the version: what else is there is not known before it is.
#[derive(Debug, Deserialize)]
struct Versioned {
    version: u32,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be read or written.
    #[error("data directory")]
    File(#[from] FileError),
    /// It cannot be locked.
    #[error("cannot lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process uses it.
    #[error("{} is in use by another agent", .0.display())]
    InUse(PathBuf),
    /// It belongs to another cluster.
    #[error("{} belongs to cluster {cluster} of {clusterset}; give each agent its own data_dir", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its clusterset.
        clusterset: TrustDomain,
        /// Its cluster.
        cluster: ClusterId,
    },
    /// Written by a later version.
    #[error("{} has version {found}; this program reads up to {VERSION}", path.display())]
    Newer {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// A file of it is not what was written.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        #[source]
        source: serde_json::Error,
    },
}

impl From<DataDirError> for Failure {
    fn from(error: DataDirError) -> Self {
        let exit = match &error {
            DataDirError::InUse(_) => Exit::Unavailable,
            DataDirError::File(_)
            | DataDirError::Foreign { .. }
            | DataDirError::Lock { .. }
            | DataDirError::Newer { .. }
            | DataDirError::Damaged { .. } => Exit::Io,
        };
        Self::new(exit, error)
    }
}

impl DataDir {
    /// Opens the directory, or makes it for this cluster, and locks it. Blocks on the disk.
    ///
    /// # Errors
    /// When it belongs to somebody else, is in use, or was written by a later version: nothing is changed then.
    pub fn open(path: &Path, clusterset: &TrustDomain, cluster: &ClusterId) -> Result<Self, DataDirError> {
        files::create_private_dir(path)?;
        let lock = lock(&path.join("lock"), path)?;
        let file = path.join("agent.json");
        let owner = match read_json::<Versioned>(&file)? {
            Some(Versioned { version }) if version > VERSION => {
                return Err(DataDirError::Newer { path: path.to_owned(), found: version });
            }
            Some(_) => read_json::<Owner>(&file)?,
            None => None,
        };
        let instance = match owner {
            Some(owner) if &owner.cluster == cluster && &owner.clusterset == clusterset => owner.instance,
            Some(Owner { clusterset, cluster, .. }) => {
                return Err(DataDirError::Foreign { path: path.to_owned(), clusterset, cluster });
            }
            None => {
                let instance = new_instance();
                let (clusterset, cluster) = (clusterset.clone(), cluster.clone());
                write_json(
                    &file,
                    &Owner { version: VERSION, clusterset, cluster, instance: instance.clone() },
                )?;
                instance
            }
        };
        Ok(Self { path: path.to_owned(), instance, _lock: lock })
    }

    /// This installation of the agent: the same after a restart, another one in another directory.
    pub fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

fn lock(path: &Path, directory: &Path) -> Result<File, DataDirError> {
    let failed = |source| DataDirError::Lock { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(DataDirError::InUse(directory.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// 16 random bytes.
fn new_instance() -> InstanceId {
    let text = format!("{:032x}", rand::random::<u128>());
    text.parse().unwrap_or_else(|_| unreachable!("32 lower-case hex digits are an instance id"))
}

/// Reads a JSON file; none if there is none.
pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, DataDirError> {
    match files::read_bounded(path, MAX_FILE) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| DataDirError::Damaged { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Replaces a JSON file, mode 0600.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), DataDirError> {
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|source| DataDirError::Damaged { path: path.to_owned(), source })?;
    Ok(files::write_atomic(path, &bytes, 0o600)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, cluster: &str) -> Result<DataDir, DataDirError> {
        DataDir::open(path, &"lab".parse().unwrap(), &cluster.parse().unwrap())
    }

    #[test]
    fn an_instance_stays_the_same_and_is_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("agent");
        let first = open(&path, "east").unwrap();
        let instance = first.instance().clone();
        assert!(matches!(open(&path, "east"), Err(DataDirError::InUse(_))));
        drop(first);
        assert_eq!(open(&path, "east").unwrap().instance(), &instance);
        assert_ne!(open(&root.path().join("other"), "east").unwrap().instance(), &instance);
    }

    #[test]
    fn a_directory_of_another_cluster_or_a_newer_version_is_refused_untouched() {
        let root = tempfile::tempdir().unwrap();
        drop(open(root.path(), "east").unwrap());
        let file = root.path().join("agent.json");
        let before = std::fs::read(&file).unwrap();
        let foreign = open(root.path(), "west").unwrap_err().to_string();
        assert!(foreign.contains("belongs to cluster east of lab"), "{foreign}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        std::fs::write(&file, r#"{"version": 9, "whatever": 1}"#).unwrap();
        assert!(matches!(open(root.path(), "east"), Err(DataDirError::Newer { found: 9, .. })));
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(open(root.path(), "east"), Err(DataDirError::Damaged { .. })));
    }
}
