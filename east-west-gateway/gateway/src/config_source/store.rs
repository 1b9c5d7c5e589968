//! The gateway's own files: the last good configuration, and its certificate with the key.
//!
//! Both are copies of what the agent can give again, so a file that cannot be used is named in the log and passed
//! over; it is replaced by the next good one.

use std::path::{Path, PathBuf};

use federation_api::{MAX_LOCAL_MESSAGE_BYTES, gateway as wire};
use federation_kit::files::{self, FileError};
use federation_trust::{Identity, TrustError};
use prost::Message;

/// Only the gateway's user may read them: one is a private key.
const MODE: u32 = 0o600;
/// The first line of the configuration's file. The number grows when the rest changes its meaning.
const HEADER: &[u8] = b"isthmus-gateway configuration 1\n";
/// The part of the header without its number.
const HEADER_NAME: &[u8] = b"isthmus-gateway configuration ";
/// Where the key begins in the identity's file.
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";
/// Largest identity file, in bytes.
const MAX_IDENTITY: u64 = 256 * 1024;

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not one of ours.
    #[error("{} is not a gateway's configuration", .0.display())]
    Foreign(PathBuf),
    /// Another version of the gateway wrote it.
    #[error("{} was written by another version of the gateway", .0.display())]
    Version(PathBuf),
    /// It is cut off or damaged.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: prost::DecodeError,
    },
    /// It holds no usable certificate and key.
    #[error("{} holds no identity", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TrustError,
    },
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Store {
    configuration: PathBuf,
    identity: PathBuf,
}

impl Store {
    /// Files in `data_dir`, which is made if it is not there.
    pub fn open(data_dir: &Path) -> Result<Self, FileError> {
        files::create_private_dir(data_dir)?;
        Ok(Self { configuration: data_dir.join("configuration"), identity: data_dir.join("identity.pem") })
    }

    /// Keeps a configuration.
    pub fn save_configuration(&self, config: &wire::GatewayConfig) -> Result<(), FileError> {
        let mut bytes = HEADER.to_vec();
        bytes.extend(config.encode_to_vec());
        files::write_atomic(&self.configuration, &bytes, MODE)
    }

    /// The last configuration kept; `None` if there is none.
    pub fn load_configuration(&self) -> Result<Option<wire::GatewayConfig>, StoreError> {
        let path = &self.configuration;
        let most = MAX_LOCAL_MESSAGE_BYTES as u64 + HEADER.len() as u64;
        let Some(bytes) = found(files::read_bounded(path, most))? else { return Ok(None) };
        match bytes.strip_prefix(HEADER) {
            Some(message) => wire::GatewayConfig::decode(message)
                .map(Some)
                .map_err(|source| StoreError::Damaged { path: path.clone(), source }),
            None if bytes.starts_with(HEADER_NAME) => Err(StoreError::Version(path.clone())),
            None => Err(StoreError::Foreign(path.clone())),
        }
    }

    /// Keeps an identity, in one file so that certificate and key can never be of two.
    pub fn save_identity(&self, identity: &Identity) -> Result<(), FileError> {
        let (chain, key) = identity.to_pem();
        let text = zeroize::Zeroizing::new(format!("{chain}{}", *key));
        files::write_atomic(&self.identity, text.as_bytes(), MODE)
    }

    /// The last identity kept; `None` if there is none.
    pub fn load_identity(&self) -> Result<Option<Identity>, StoreError> {
        let Some(bytes) = found(files::read_bounded(&self.identity, MAX_IDENTITY))? else { return Ok(None) };
        let bytes = zeroize::Zeroizing::new(bytes);
        let text = String::from_utf8_lossy(&bytes);
        let (chain, key) = text.split_at(text.find(KEY_BEGINS).unwrap_or(text.len()));
        Identity::from_pem(chain, key)
            .map(Some)
            .map_err(|source| StoreError::Identity { path: self.identity.clone(), source })
    }
}

fn found(read: Result<Vec<u8>, FileError>) -> Result<Option<Vec<u8>>, FileError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_configuration_survives_and_damage_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert!(store.load_configuration().unwrap().is_none());
        let config = wire::GatewayConfig { version: "abc".to_owned(), ..Default::default() };
        store.save_configuration(&config).unwrap();
        assert_eq!(store.load_configuration().unwrap(), Some(config));

        let path = directory.path().join("configuration");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "isthmus-gateway configuration 9\n").unwrap();
        assert!(matches!(store.load_configuration(), Err(StoreError::Version(_))));
        std::fs::write(&path, "something else").unwrap();
        assert!(matches!(store.load_configuration(), Err(StoreError::Foreign(_))));
        std::fs::write(&path, [HEADER, &[0xff, 0xff]].concat()).unwrap();
        assert!(matches!(store.load_configuration(), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn a_file_without_certificate_and_key_is_no_identity() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        assert!(store.load_identity().unwrap().is_none());
        for text in ["", KEY_BEGINS, "\u{fffd}"] {
            std::fs::write(directory.path().join("identity.pem"), text).unwrap();
            assert!(matches!(store.load_identity(), Err(StoreError::Identity { .. })), "{text}");
        }
    }
}
