//! The last snapshot, on disk: its description and its bytes, replaced together.

use std::sync::{Mutex, PoisonError};

use federation_model::{State, UnixMillis};
use serde::{Deserialize, Serialize};

use super::codec::{decode, encode};
use super::db::Db;
use super::error::StoreError;
use crate::types::SnapshotMeta;

const META: &str = "meta";
const DATA: &str = "data";

/// What a snapshot holds. It is encoded like everything else, with a version in front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) state: State,
    /// The leader's clock at the last batch in it.
    pub(crate) at: UnixMillis,
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

    /// The last snapshot saved.
    pub(crate) fn load(&self) -> Result<Option<(SnapshotMeta, Vec<u8>)>, StoreError> {
        let Some(meta) = self.meta()? else { return Ok(None) };
        let data = self.db.snapshot.get(DATA).map_err(StoreError::engine("reading the snapshot"))?;
        Ok(data.map(|data| (meta, data.to_vec())))
    }

    /// Saves a snapshot unless a later one is there: the builder runs beside the state machine, which may install one
    /// from the leader, and purge the log up to it, before the builder ends.
    pub(crate) async fn save(&self, meta: &SnapshotMeta, data: &[u8]) -> Result<(), StoreError> {
        {
            let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
            if self.meta()?.is_some_and(|present| present.last_log_id > meta.last_log_id) {
                return Ok(());
            }
            let meta = encode(meta).map_err(|source| StoreError::Encode { what: "snapshot", source })?;
            let mut batch = sled::Batch::default();
            batch.insert(META, meta);
            batch.insert(DATA, data);
            self.db.snapshot.apply_batch(batch).map_err(StoreError::engine("writing the snapshot"))?;
        }
        self.db.flush().await
    }

    fn meta(&self) -> Result<Option<SnapshotMeta>, StoreError> {
        let found = self.db.snapshot.get(META).map_err(StoreError::engine("reading the snapshot"))?;
        let meta = found.map(|bytes| decode(&bytes));
        meta.transpose()
            .map_err(|source| StoreError::Corrupt { what: "snapshot description".to_owned(), source })
    }
}
