//! Beginning with a backup: an operator put it into the empty data directory of each server of a new set.
//!
//! Each of them makes the same snapshot of it, at the same index, as if an entry that founds the group and holds the
//! catalogue had been purged from the log; then they elect a leader as usual. The addresses are those of the new set's
//! configuration. The index is beyond any that the old set can have reached (`federation_model::backup`).

use std::collections::BTreeMap;
use std::path::Path;

use federation_kit::files::read_bounded;
use federation_model::backup::{Backup, MAX_BYTES, RESTORE_FILE};
use federation_model::{ServerId, TrustDomain};
use openraft::{CommittedLeaderId, Membership};

use super::db::Db;
use super::error::StoreError;
use super::log::{PURGED, VOTE};
use super::snapshot::{Body, SnapshotStore};
use crate::types::{LogId, Member, Seat, SnapshotMeta, StoredMembership, Vote, node_id};

/// The name that the file has once the server has begun with it.
const DONE: &str = "restored.backup";

/// The backup in `dir` that is to be begun with, if there is one.
pub(super) fn find(dir: &Path, clusterset: &TrustDomain) -> Result<Option<Backup>, StoreError> {
    let path = dir.join(RESTORE_FILE);
    let refused = |problem: String| StoreError::Backup { path: path.clone(), problem };
    let bytes = match read_bounded(&path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(federation_kit::exit::chain(&error).to_string())),
    };
    let backup = Backup::from_bytes(&bytes)
        .map_err(|error| refused(format!("it {}", federation_kit::exit::chain(&error))))?;
    if &backup.header.clusterset != clusterset {
        return Err(refused(format!("it is of clusterset {}", backup.header.clusterset)));
    }
    Ok(Some(backup))
}

/// Makes an empty store begin with `backup`, and gives the file another name. A crash on the way is made good by the next
/// start, which finds the same file.
pub(super) fn begin(
    dir: &Path,
    db: &Db,
    backup: Backup,
    members: &BTreeMap<ServerId, Member>,
) -> Result<(), StoreError> {
    let (file, at) = (dir.join(RESTORE_FILE), backup.header.at);
    let state = backup.into_restored();
    let last = LogId::new(CommittedLeaderId::new(0, 0), state.revision().0);
    let snapshots = SnapshotStore::new(db.clone());
    let purged: Option<LogId> = db.get(PURGED)?;
    let untouched = db.get::<Vote>(VOTE)?.is_none() && db.last_entry()?.is_none();
    let begun = snapshots.last_log_id()?.is_none_or(|found| found == last);
    if !(untouched && begun && purged.is_none_or(|purged| purged == last)) {
        let problem = "this server has a log of its own; a backup is for empty data directories".to_owned();
        return Err(StoreError::Backup { path: file, problem });
    }

    let voters = members.keys().map(|id| node_id(*id)).collect();
    let nodes: BTreeMap<u64, Seat> =
        members.iter().map(|(id, member)| (node_id(*id), Seat::founding(member.clone(), None))).collect();
    let meta = SnapshotMeta {
        last_log_id: Some(last),
        last_membership: StoredMembership::new(Some(last), Membership::new(vec![voters], nodes)),
        snapshot_id: format!("restored-{}", last.index),
    };
    snapshots.write(&meta, &Body { state, at, tail: None }.encode()?)?;
    db.put(PURGED, &last)?;
    db.flush_now("restoring a backup")?;
    std::fs::rename(&file, dir.join(DONE)).map_err(|source| StoreError::File {
        path: file,
        doing: "renamed",
        source,
    })?;
    tracing::info!(revision = last.index, "this server begins with a backup");
    Ok(())
}
