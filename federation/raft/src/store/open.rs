//! Opening a data directory: everything in it is read and judged before anything is served from it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use federation_model::{Revision, ServerId};

use super::catalogue::{Catalogue, Witness};
use super::db::Db;
use super::engine::{Directory, Disk};
use super::error::StoreError;
use super::identity::StoreIdentity;
use super::log::LogStore;
use super::machine::StateMachine;
use super::restore;
use super::snapshot::SnapshotStore;
use crate::metrics::Metrics;
use crate::planted::Planted;
use crate::types::{Member, StoreId};

/// A store, open.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) db: Db,
    pub(crate) id: StoreId,
    pub(crate) log: LogStore,
    pub(crate) machine: StateMachine,
    pub(crate) catalogue: Arc<Catalogue>,
    /// The last entry that the log held when it was opened.
    pub(crate) replayed: Revision,
}

/// Opens or creates `dir` for `identity`, beside the runtime. `ring` changes are kept for watchers. An empty directory with a
/// backup in it begins with that, and with `members`.
pub(crate) async fn open(
    dir: PathBuf,
    identity: StoreIdentity,
    members: BTreeMap<ServerId, Member>,
    ring: usize,
    metrics: &Metrics,
) -> Result<Store, StoreError> {
    let metrics = metrics.clone();
    let path = dir.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let made = Directory::open(dir.clone());
        let disk = made.map_err(|source| StoreError::File { path: dir.clone(), doing: "created", source })?;
        let backup = restore::find(&dir, &identity.clusterset)?;
        let db = Db::open(&disk, &identity, metrics.flush.clone())?;
        if let Some(backup) = backup {
            restore::begin(&dir, &db, backup, &members)?;
        }
        read(db, &identity, StoreId(rand::random()), ring, &metrics, None, Planted::default())
    })
    .await;
    // The engine panics over some damages. Nothing was served from it yet, and nothing will be.
    opened.unwrap_or_else(|_| {
        Err(StoreError::damaged(&path, "what the storage engine must have to read its file".to_owned()))
    })
}

/// Opens or creates what is on `disk`, here and now. What has no name yet is called `fresh`.
pub(crate) fn open_now(
    disk: &dyn Disk,
    identity: &StoreIdentity,
    fresh: StoreId,
    ring: usize,
    metrics: &Metrics,
    witness: Option<Arc<dyn Witness>>,
    planted: Planted,
) -> Result<Store, StoreError> {
    let db = Db::open(disk, identity, metrics.flush.clone())?.with(planted);
    read(db, identity, fresh, ring, metrics, witness, planted)
}

fn read(
    db: Db,
    identity: &StoreIdentity,
    fresh: StoreId,
    ring: usize,
    metrics: &Metrics,
    witness: Option<Arc<dyn Witness>>,
    planted: Planted,
) -> Result<Store, StoreError> {
    let id = db.named(fresh)?;
    let log = LogStore::open(db.clone(), identity.server)?;
    let catalogue = Arc::new(Catalogue::new(ring, metrics.clone()).watched(witness, planted));
    let snapshots = SnapshotStore::new(db.clone());
    let machine = StateMachine::load(Arc::clone(&catalogue), snapshots, db.durable(), log.purged()?)?;
    let machine = machine.with(planted);
    let replayed = log.last_at_open();
    Ok(Store { db, id, log, machine, catalogue, replayed })
}
