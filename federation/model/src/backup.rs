//! A backup of the catalogue, as a file: a first line that names its format, a header that anybody can read, the state,
//! and a checksum over all of that.
//!
//! ```text
//! isthmus backup 1
//! {"clusterset":"lab","revision":1204,...}
//! <the state, MessagePack with fields by name>
//! <SHA-256 of everything before, in hexadecimal>
//! ```
//!
//! It holds no private key, and of join tokens the hashes. It holds nothing of the servers that made it, so that others,
//! at other addresses, can start from it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{Revision, UnixMillis};
use crate::state::State;
use crate::trust_domain::TrustDomain;

/// The format written. Readers accept this one and, once there are any, the two before it.
const FORMAT: u32 = 1;
/// Largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// The name under which a server finds a backup in its data directory that it shall begin with.
pub const RESTORE_FILE: &str = "restore.backup";
/// How far the revision moves on when a catalogue is restored: beyond any that the federation reached after the backup, so
/// that agents who saw those start anew, and never take another change of the same number for one that they have.
const GAP: u64 = 1_000_000_000_000;
const MAGIC: &[u8] = b"isthmus backup ";
/// SHA-256 in hexadecimal, between two line breaks.
const TRAILER: usize = 66;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Of which clusterset it is. It can be restored for no other.
    pub clusterset: TrustDomain,
    /// The last entry in it.
    pub revision: Revision,
    /// The leader's clock at the last entry in it.
    pub at: UnixMillis,
    /// The version of the server that made it.
    pub version: String,
    /// Clusters in it.
    pub clusters: usize,
    /// Exports in it.
    pub exports: usize,
}

/// A catalogue that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// What it says of itself.
    pub header: Header,
    /// The catalogue.
    pub state: State,
}

/// Why a file is no backup that can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It begins otherwise.
    #[error("is not a backup of Isthmus")]
    NotABackup,
    /// Written by a later version.
    #[error("has format {found}; this program reads format {FORMAT}")]
    Format {
        /// The format found.
        found: String,
    },
    /// Bytes are missing or others.
    #[error("is damaged: its checksum does not match. It may have been cut short")]
    Damaged,
    /// The header cannot be read.
    #[error("has a header that cannot be read")]
    Header(#[source] serde_json::Error),
    /// The state cannot be read.
    #[error("holds a catalogue that cannot be read")]
    State(#[source] rmp_serde::decode::Error),
    /// The state cannot be written; a defect of this program.
    #[error("cannot be written")]
    Write(#[source] rmp_serde::encode::Error),
    /// What it holds cannot be true.
    #[error("holds a catalogue that contradicts itself: {0}")]
    Contradiction(String),
}

impl Backup {
    /// A backup of `state`, which was that of `at`, by a server of this `version`.
    pub fn of(state: State, clusterset: TrustDomain, at: UnixMillis, version: String) -> Self {
        let (clusters, exports) = (state.clusters().count(), state.exports().count());
        let header = Header { clusterset, revision: state.revision(), at, version, clusters, exports };
        Self { header, state }
    }

    /// What servers begin with that restore this. The same on each of them.
    pub fn into_restored(self) -> State {
        let (mut state, taken_at) = (self.state, self.header.revision);
        state.restored(Revision(taken_at.0.saturating_add(GAP)), self.header.at, taken_at);
        state
    }

    /// The file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BackupError> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(format!("{FORMAT}\n").into_bytes());
        bytes.extend(serde_json::to_vec(&self.header).map_err(BackupError::Header)?);
        bytes.push(b'\n');
        bytes.extend(rmp_serde::to_vec_named(&self.state).map_err(BackupError::Write)?);
        let checksum = hex::encode(Sha256::digest(&bytes));
        bytes.extend(format!("\n{checksum}\n").into_bytes());
        Ok(bytes)
    }

    /// Reads a file whole, and believes nothing of it before the checksum is seen to match.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BackupError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BackupError::NotABackup)?;
        let (format, _) = line(rest).ok_or(BackupError::Damaged)?;
        if format != FORMAT.to_string().as_bytes() {
            let found = String::from_utf8_lossy(format.get(..16).unwrap_or(format)).into_owned();
            return Err(BackupError::Format { found });
        }
        let (content, trailer) =
            bytes.split_at_checked(bytes.len().saturating_sub(TRAILER)).ok_or(BackupError::Damaged)?;
        if trailer != format!("\n{}\n", hex::encode(Sha256::digest(content))).as_bytes() {
            return Err(BackupError::Damaged);
        }
        let (_, rest) = line(content).ok_or(BackupError::Damaged)?;
        let (header, state) = line(rest).ok_or(BackupError::Damaged)?;
        let header: Header = serde_json::from_slice(header).map_err(BackupError::Header)?;
        let state: State = rmp_serde::from_slice(state).map_err(BackupError::State)?;
        let mut broken = state.violations();
        if state.revision() != header.revision {
            broken.push(format!("it is of revision {} and says {}", state.revision(), header.revision));
        }
        match broken.into_iter().next() {
            Some(broken) => Err(BackupError::Contradiction(broken)),
            None => Ok(Self { header, state }),
        }
    }
}

/// The first line, without its end, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Batch, Command};
    use crate::token::TokenHash;

    fn backup() -> Backup {
        let mut state = State::default();
        let command = Command::CreateToken {
            hash: TokenHash([7; 32]),
            cluster: "east".parse().unwrap(),
            expires: UnixMillis(9),
            by: None,
        };
        state.apply(Revision(4), &Batch { at: UnixMillis(5), commands: vec![command] });
        Backup::of(state, "lab".parse().unwrap(), UnixMillis(5), "0.1.0".to_owned())
    }

    #[test]
    fn what_is_written_is_read_back_and_begins_readably() {
        let bytes = backup().to_bytes().unwrap();
        assert!(bytes.starts_with(b"isthmus backup 1\n{\"clusterset\":\"lab\",\"revision\":4,"));
        assert_eq!(Backup::from_bytes(&bytes).unwrap(), backup());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = backup().to_bytes().unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(Backup::from_bytes(&flipped).is_err(), "byte {at}");
            assert!(Backup::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
        let longer = [bytes.as_slice(), b"\n"].concat();
        assert!(matches!(Backup::from_bytes(&longer), Err(BackupError::Damaged)));
    }

    #[test]
    fn other_files_and_other_formats_are_named() {
        assert!(matches!(Backup::from_bytes(b"apiVersion: v1\n"), Err(BackupError::NotABackup)));
        assert!(matches!(Backup::from_bytes(b""), Err(BackupError::NotABackup)));
        let newer = Backup::from_bytes(b"isthmus backup 2\nwho knows").unwrap_err();
        assert_eq!(newer.to_string(), "has format 2; this program reads format 1");
    }

    #[test]
    fn a_header_that_speaks_of_another_state_is_refused() {
        let mut wrong = backup();
        wrong.header.revision = Revision(5);
        let error = Backup::from_bytes(&wrong.to_bytes().unwrap()).unwrap_err();
        assert!(matches!(error, BackupError::Contradiction(_)), "{error}");
    }
}
