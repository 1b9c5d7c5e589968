//! The last view that was whole, on disk, so that a restart without any server carries on where it was.
//!
//! File: 8 bytes of magic, one byte of version, SHA-256 of the rest, then the rest: MessagePack with named fields. It is
//! replaced whole or not at all. A file that does not hold up is an error with a name, never half a view.

use std::io;
use std::path::{Path, PathBuf};

use federation_kit::files::{FileError, read_bounded, write_atomic};
use federation_model::{ClusterId, FederationView, TrustDomain};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Largest file that is read, in bytes.
pub const MAX_FILE: u64 = 512 * 1024 * 1024;
const MAGIC: &[u8; 8] = b"ISTHMLKG";
/// Written now. Everything from 1 up to it can be read.
const VERSION: u8 = 1;
const HEADER: usize = MAGIC.len() + 1 + 32;

/// Where one cluster's view is kept.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    clusterset: TrustDomain,
    cluster: ClusterId,
}

/// Why a file cannot be used. All but the first mean that the file should be kept for somebody to look at, and a
/// fresh view fetched.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Something else lives under that name.
    #[error("{} is not a saved view", .0.display())]
    NotOurs(PathBuf),
    /// Written by a later version.
    #[error("{} has version {found}; this program reads up to {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u8,
    },
    /// Its content is not what was written: cut off, or changed.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// Intact, and yet not a view.
    #[error("{} cannot be decoded", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rmp_serde::decode::Error,
    },
    /// The data directory of another cluster.
    #[error("{} belongs to cluster {cluster} of {clusterset}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its clusterset.
        clusterset: TrustDomain,
        /// Its cluster.
        cluster: ClusterId,
    },
}

/// Why a view could not be saved. The file before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be encoded.
    #[error("view cannot be encoded")]
    Encode(#[from] rmp_serde::encode::Error),
}

#[derive(Serialize)]
struct Saving<'a> {
    clusterset: &'a TrustDomain,
    cluster: &'a ClusterId,
    view: &'a FederationView,
}

#[derive(Deserialize)]
struct Saved {
    clusterset: TrustDomain,
    cluster: ClusterId,
    view: FederationView,
}

impl Store {
    /// The file `path`, for this cluster and no other.
    pub fn new(path: impl Into<PathBuf>, clusterset: TrustDomain, cluster: ClusterId) -> Self {
        Self { path: path.into(), clusterset, cluster }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file. Blocks on the disk.
    pub fn save(&self, view: &FederationView) -> Result<(), SaveError> {
        let saving = Saving { clusterset: &self.clusterset, cluster: &self.cluster, view };
        let body = rmp_serde::to_vec_named(&saving)?;
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&Sha256::digest(&body));
        bytes.extend_from_slice(&body);
        Ok(write_atomic(&self.path, &bytes, 0o600)?)
    }

    /// Reads the file; none if there is none. Blocks on the disk.
    pub fn load(&self) -> Result<Option<FederationView>, LoadError> {
        let bytes = match read_bounded(&self.path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let path = || self.path.clone();
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| LoadError::NotOurs(path()))?;
        let (version, rest) = rest.split_first().ok_or_else(|| LoadError::Damaged(path()))?;
        match *version {
            0 => return Err(LoadError::Damaged(path())),
            1..=VERSION => {}
            found => return Err(LoadError::Newer { path: path(), found }),
        }
        let (sum, body) = rest.split_first_chunk::<32>().ok_or_else(|| LoadError::Damaged(path()))?;
        if Sha256::digest(body).as_slice() != sum {
            return Err(LoadError::Damaged(path()));
        }
        let saved: Saved =
            rmp_serde::from_slice(body).map_err(|source| LoadError::Decode { path: path(), source })?;
        if saved.clusterset != self.clusterset || saved.cluster != self.cluster {
            let (clusterset, cluster) = (saved.clusterset, saved.cluster);
            return Err(LoadError::Foreign { path: path(), clusterset, cluster });
        }
        Ok(Some(saved.view))
    }
}

#[cfg(test)]
mod tests;
