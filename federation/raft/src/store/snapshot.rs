//! The last snapshot, on disk: its description and its bytes, replaced together.

use std::sync::{Mutex, PoisonError};

use federation_model::state::Tail;
use federation_model::{State, UnixMillis};
use serde::{Deserialize, Serialize};

use super::codec::{CodecError, decode, encode};
use super::db::Db;
use super::engine::{Runner, Write};
use super::error::StoreError;
use crate::types::{LogId, SnapshotMeta};

const META: &str = "meta";
/// Larger values go to files of their own, which the engine does not sync.
const PIECE: usize = 64 * 1024;

/// How a snapshot is found again, and judged.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    meta: SnapshotMeta,
    pieces: u32,
    checksum: u32,
}

/// What a snapshot holds. It is encoded like everything else, with a version in front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) state: State,
    /// The leader's clock at the last batch in it.
    pub(crate) at: UnixMillis,
    /// What changed last, so that watchers of a server that starts from it may go on. None in what was written before there
    /// was such a list.
    #[serde(default)]
    pub(crate) tail: Option<Tail>,
}

impl Body {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StoreError> {
        encode(self).map_err(|source| StoreError::Encode { what: "snapshot", source })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        decode(bytes).map_err(|source| StoreError::Corrupt { what: "snapshot".to_owned(), source })
    }
}

/// The last snapshot of one server.
#[derive(Debug)]
pub(crate) struct SnapshotStore {
    db: Db,
    /// Serialises the comparison and the write in `save`.
    saving: Mutex<()>,
}

impl SnapshotStore {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, saving: Mutex::new(()) }
    }

    /// On what a snapshot is encoded.
    pub(super) fn runner(&self) -> Runner {
        self.db.runner()
    }

    /// The last snapshot saved.
    pub(crate) fn load(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, StoreError> {
        let Some(Stored { meta, pieces, checksum }) = self.stored()? else { return Ok(None) };
        let mut data = Vec::new();
        for piece in 0..pieces {
            data.extend(self.db.piece(&key(piece))?.unwrap_or_default());
        }
        if crc32fast::hash(&data) != checksum {
            let what = "snapshot".to_owned();
            return Err(StoreError::Corrupt { what, source: CodecError::Checksum });
        }
        Ok(Some((meta, data)))
    }

    /// Saves a snapshot unless a later one is there: the builder runs beside the state machine, which may install one
    /// from the leader, and purge the log up to it, before the builder ends.
    pub(crate) async fn save(&self, meta: &SnapshotMeta, data: &[u8]) -> Result<(), StoreError> {
        self.write(meta, data)?;
        self.db.flush().await
    }

    /// The same, without flushing.
    pub(super) fn write(&self, meta: &SnapshotMeta, data: &[u8]) -> Result<(), StoreError> {
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.stored()?;
        if before.as_ref().is_some_and(|before| before.meta.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        let mut writes: Vec<Write> = Vec::new();
        let mut pieces = 0;
        for piece in data.chunks(PIECE) {
            writes.push((key(pieces), Some(piece.to_vec())));
            pieces += 1;
        }
        for left in pieces..before.map_or(0, |before| before.pieces) {
            writes.push((key(left), None));
        }
        let stored = Stored { meta: meta.clone(), pieces, checksum: crc32fast::hash(data) };
        let stored = encode(&stored).map_err(|source| StoreError::Encode { what: "snapshot", source })?;
        writes.push((META.into(), Some(stored)));
        self.db.put_pieces(writes)
    }

    /// The last entry in the last snapshot saved.
    pub(super) fn last_log_id(&self) -> Result<Option<LogId>, StoreError> {
        Ok(self.stored()?.and_then(|stored| stored.meta.last_log_id))
    }

    fn stored(&self) -> Result<Option<Stored>, StoreError> {
        let found = self.db.piece(META.as_bytes())?;
        let meta = found.map(|bytes| decode(&bytes));
        meta.transpose()
            .map_err(|source| StoreError::Corrupt { what: "snapshot description".to_owned(), source })
    }
}

fn key(piece: u32) -> Vec<u8> {
    [b"piece".as_slice(), &piece.to_be_bytes()].concat()
}
