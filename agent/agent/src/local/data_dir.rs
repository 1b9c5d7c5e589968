//! The agent's directory: whose it is, that nobody else uses it, and which of its files are papers.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use federation_kit::exit::{Exit, Failure};
use federation_kit::files::{self, FileError};
use federation_model::{ClusterId, InstanceId, TrustDomain};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::papers::{NAMES, OWNER, Papers};

/// Written now. Everything from 1 up to it can be read.
const VERSION: u32 = 1;
/// Largest file of ours that is read, in bytes.
pub(crate) const MAX_FILE: u64 = 1024 * 1024;

/// A directory that is ours until this is dropped. Mode 0700.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    instance: InstanceId,
    /// Counts the papers that were written.
    written: watch::Sender<u64>,
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
    /// A paper of another installation cannot be removed.
    #[error("cannot remove {}", path.display())]
    Remove {
        /// The file.
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
    /// The papers that are kept outside of it belong to another cluster.
    #[error("the kept papers belong to cluster {cluster} of {clusterset}; this agent is of another one")]
    ForeignPapers {
        /// Its clusterset.
        clusterset: TrustDomain,
        /// Its cluster.
        cluster: ClusterId,
    },
    /// The papers that are kept outside of it were written by a later version.
    #[error("the kept papers have version {found}; this program reads up to {VERSION}")]
    NewerPapers {
        /// Their version.
        found: u32,
    },
    /// The papers that are kept outside of it are not what was written.
    #[error("the kept {name} is damaged")]
    DamagedPapers {
        /// The file.
        name: &'static str,
        /// How.
        #[source]
        source: serde_json::Error,
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
            | DataDirError::Remove { .. }
            | DataDirError::Newer { .. }
            | DataDirError::ForeignPapers { .. }
            | DataDirError::NewerPapers { .. }
            | DataDirError::DamagedPapers { .. }
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
        Self::open_with(path, clusterset, cluster, None)
    }

    /// As [`DataDir::open`], after the papers that were kept outside of it were put in. Those of another installation
    /// replace all that are there; those of the same one only theirs: a paper that was written and not kept is not lost.
    ///
    /// # Errors
    /// As [`DataDir::open`]; the same goes for the kept papers.
    pub fn open_with(
        path: &Path,
        clusterset: &TrustDomain,
        cluster: &ClusterId,
        kept: Option<&Papers>,
    ) -> Result<Self, DataDirError> {
        files::create_private_dir(path)?;
        let lock = lock(&path.join("lock"), path)?;
        let mut owner = read_owner(path)?;
        if let Some(Owner { clusterset: theirs, cluster: name, .. }) = &owner
            && (theirs != clusterset || name != cluster)
        {
            let (clusterset, cluster) = (theirs.clone(), name.clone());
            return Err(DataDirError::Foreign { path: path.to_owned(), clusterset, cluster });
        }
        if let Some(kept) = kept
            && let Some(theirs) = owner_of(kept)?
        {
            if &theirs.clusterset != clusterset || &theirs.cluster != cluster {
                let Owner { clusterset, cluster, .. } = theirs;
                return Err(DataDirError::ForeignPapers { clusterset, cluster });
            }
            put_in(path, kept, owner.is_some_and(|owner| owner.instance == theirs.instance))?;
            owner = Some(theirs);
        }
        let instance = match owner {
            Some(owner) => owner.instance,
            None => {
                let instance = new_instance();
                let (clusterset, cluster) = (clusterset.clone(), cluster.clone());
                let owner = Owner { version: VERSION, clusterset, cluster, instance: instance.clone() };
                write_json(&path.join(OWNER), &owner)?;
                instance
            }
        };
        Ok(Self { path: path.to_owned(), instance, written: watch::Sender::new(0), _lock: lock })
    }

    /// Whether it was ever used by an agent of any cluster. Blocks on the disk.
    pub fn is_used(path: &Path) -> bool {
        path.join(OWNER).exists()
    }

    /// Every paper in it. Blocks on the disk.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn papers(&self) -> Result<Papers, DataDirError> {
        let mut papers = Papers::new();
        for name in NAMES {
            match files::read_bounded(&self.file(name), MAX_FILE) {
                Ok(bytes) => drop(papers.insert(name.to_owned(), Zeroizing::new(bytes))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(papers)
    }

    /// Whether papers are of this installation, or of none at all.
    pub(crate) fn is_owner_of(&self, papers: &Papers) -> bool {
        match owner_of(papers) {
            Ok(Some(owner)) => owner.instance == self.instance,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Notes that a paper was written or removed.
    pub fn note_written(&self) {
        self.written.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes whenever a paper was written or removed.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
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

/// The owner by `agent.json`.
fn read_owner(path: &Path) -> Result<Option<Owner>, DataDirError> {
    let file = path.join(OWNER);
    match read_json::<Versioned>(&file)? {
        Some(Versioned { version }) if version > VERSION => {
            Err(DataDirError::Newer { path: path.to_owned(), found: version })
        }
        Some(_) => read_json::<Owner>(&file),
        None => Ok(None),
    }
}

/// The owner by papers; none if they name none.
fn owner_of(papers: &Papers) -> Result<Option<Owner>, DataDirError> {
    let damaged = |source| DataDirError::DamagedPapers { name: OWNER, source };
    let Some(bytes) = papers.get(OWNER) else { return Ok(None) };
    let Versioned { version } = serde_json::from_slice(bytes).map_err(damaged)?;
    if version > VERSION {
        return Err(DataDirError::NewerPapers { found: version });
    }
    serde_json::from_slice(bytes).map(Some).map_err(damaged)
}

/// The owner goes first and comes last: a crash in between leaves papers without an owner, and never those of one
/// installation under the name of another.
fn put_in(path: &Path, kept: &Papers, same: bool) -> Result<(), DataDirError> {
    let own = NAMES.iter().filter(|name| **name != OWNER);
    if !same {
        for name in std::iter::once(&OWNER).chain(own.clone()) {
            remove(&path.join(name))?;
        }
    }
    for name in own.chain([&OWNER]) {
        if let Some(bytes) = kept.get(*name) {
            files::write_atomic(&path.join(name), bytes, 0o600)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), DataDirError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DataDirError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
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
mod tests;
