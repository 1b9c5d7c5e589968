//! What makes this agent a member: its certificate and key, the clusterset's CAs, and where the servers are. One
//! file, replaced whole, mode 0600.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use federation_client::{Joined, Renewed};
use federation_model::{Bundle, ClusterId, TrustDomain};
use federation_trust::bundle_set::{bundle_from_pem, bundle_to_pem};
use federation_trust::infra::agent_id;
use federation_trust::{BundleSet, Identity, TrustError};
use rustls::pki_types::UnixTime;
use serde::{Deserialize, Serialize};

use crate::local::data_dir::{DataDir, DataDirError, read_json, write_json};

const FILE: &str = "membership.json";
/// Written now. Everything from 1 up to it can be read.
const VERSION: u32 = 1;

/// A member's papers.
#[derive(Debug, Clone)]
pub struct Membership {
    /// Certificate and key for the control plane.
    pub identity: Identity,
    /// The authorities of the clusterset's own domain.
    pub bundle: Bundle,
    /// Where the servers are, by their own account.
    pub servers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    version: u32,
    certificate: String,
    key: String,
    bundle: String,
    servers: Vec<String>,
}

/// Why papers on disk cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The file.
    #[error(transparent)]
    File(#[from] DataDirError),
    /// What is in it.
    #[error("{} cannot be used", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// Written by a later version.
    #[error("{} has version {found}; this program reads up to {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Of another agent.
    #[error("{} is for {found}, not for {expected}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
}

impl Membership {
    /// The papers of this agent; none if it never joined. Blocks on the disk.
    ///
    /// # Errors
    /// When they cannot be read. Papers that ran out are no error: see [`Membership::holds`].
    pub fn load(
        data: &DataDir,
        clusterset: &TrustDomain,
        cluster: &ClusterId,
    ) -> Result<Option<Self>, MembershipError> {
        let path = data.file(FILE);
        let Some(found) = read_json::<OnDisk>(&path)? else { return Ok(None) };
        if found.version > VERSION {
            return Err(MembershipError::Newer { path, found: found.version });
        }
        let unusable = |source| MembershipError::Trust { path: path.clone(), source };
        let identity = Identity::from_pem(&found.certificate, &found.key).map_err(unusable)?;
        let bundle = bundle_from_pem(clusterset, &found.bundle).map_err(unusable)?;
        let expected = agent_id(clusterset, cluster);
        if identity.id() != &expected {
            let (found, expected) = (identity.id().to_string(), expected.to_string());
            return Err(MembershipError::Foreign { path, found, expected });
        }
        Ok(Some(Self { identity, bundle, servers: found.servers }))
    }

    /// Replaces what is on disk. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, data: &DataDir) -> Result<(), DataDirError> {
        let (certificate, key) = self.identity.to_pem();
        let on_disk = OnDisk {
            version: VERSION,
            certificate,
            key: key.to_string(),
            bundle: bundle_to_pem(&self.bundle),
            servers: self.servers.clone(),
        };
        write_json(&data.file(FILE), &on_disk)?;
        data.note_written();
        Ok(())
    }

    /// Whether a server would believe them at `now`.
    pub fn holds(&self, now: SystemTime) -> bool {
        let (bundles, _) = BundleSet::from_bundles([&self.bundle]);
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
        self.identity.verify(&bundles, UnixTime::since_unix_epoch(since)).is_ok()
    }
}

impl From<Joined> for Membership {
    fn from(joined: Joined) -> Self {
        let Joined { identity, bundle, servers, .. } = joined;
        Self { identity, bundle, servers }
    }
}

impl From<&Renewed> for Membership {
    fn from(renewed: &Renewed) -> Self {
        let Renewed { identity, bundle, servers } = renewed.clone();
        Self { identity, bundle, servers }
    }
}
