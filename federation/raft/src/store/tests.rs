use std::path::Path;
use std::sync::Arc;

use federation_model::command::Registration;
use federation_model::{Batch, Command, Revision, ServerId, State, TokenHash, UnixMillis};
use futures::FutureExt;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{
    CommittedLeaderId, EntryPayload, Membership, RaftLogReader, RaftSnapshotBuilder, RaftTypeConfig,
};
use tempfile::TempDir;

use super::catalogue::Catalogue;
use super::codec::encode;
use super::db::Db;
use super::durable::Writing;
use super::engine::Directory;
use super::error::StoreError;
use super::identity::StoreIdentity;
use super::log::LogStore;
use super::machine::StateMachine;
use super::snapshot::{Body, SnapshotStore};
use crate::metrics::Metrics;
use crate::types::{Entry, LogId, Seat, StorageError, TypeConfig, Vote};

fn identity() -> StoreIdentity {
    StoreIdentity { clusterset: "lab".parse().unwrap(), server: ServerId(1) }
}

fn open_db(dir: &Path, identity: &StoreIdentity) -> Result<Db, StoreError> {
    let disk = Directory::open(dir.to_owned()).unwrap();
    Db::open(&disk, identity, Metrics::default().flush)
}

fn open(dir: &Path) -> Result<(LogStore, StateMachine, Arc<Catalogue>), StoreError> {
    let db = open_db(dir, &identity())?;
    let log = LogStore::open(db.clone(), ServerId(1))?;
    let catalogue = Arc::new(Catalogue::new(100, Metrics::default()));
    let durable = db.durable();
    let machine = StateMachine::load(Arc::clone(&catalogue), SnapshotStore::new(db), durable, log.purged()?)?;
    Ok((log, machine, catalogue))
}

fn log_id(index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(1, 1), index)
}

/// An entry that makes a token, so that its effect can be seen.
fn entry(index: u64) -> Entry {
    let command = Command::CreateToken {
        hash: TokenHash([u8::try_from(index).unwrap(); 32]),
        cluster: "east".parse().unwrap(),
        expires: UnixMillis(u64::MAX),
        by: None,
    };
    let batch = Batch { at: UnixMillis(index), commands: vec![command] };
    Entry { log_id: log_id(index), payload: EntryPayload::Normal(Arc::new(batch)) }
}

fn membership() -> Entry {
    let nodes = std::collections::BTreeMap::from([(1, Seat::default())]);
    let membership = Membership::new(vec![[1].into()], nodes);
    Entry { log_id: log_id(0), payload: EntryPayload::Membership(membership) }
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, LogStore, StateMachine), StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let (log, machine, _) = open(dir.path()).unwrap();
        Ok((dir, log, machine))
    }
}

#[test]
fn the_store_conforms_to_openraft() {
    Suite::<TypeConfig, _, _, _, _>::test_all(Builder).unwrap();
}

#[tokio::test]
async fn a_restart_keeps_vote_log_and_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut log, mut machine, _) = open(dir.path()).unwrap();
        log.save_vote(&Vote::new_committed(1, 2)).await.unwrap();
        log.blocking_append([membership(), entry(1), entry(2), entry(3)]).await.unwrap();
        machine.apply([membership(), entry(1), entry(2)]).await.unwrap();
        machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
        log.purge(log_id(1)).await.unwrap();
    }
    let (mut log, mut machine, catalogue) = open(dir.path()).unwrap();
    assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new_committed(1, 2)));
    let state = log.get_log_state().await.unwrap();
    assert_eq!((state.last_purged_log_id, state.last_log_id), (Some(log_id(1)), Some(log_id(3))));
    let (applied, members) = machine.applied_state().await.unwrap();
    assert_eq!((applied, *members.log_id()), (Some(log_id(2)), Some(log_id(0))));
    assert_eq!(catalogue.read(|state, _| (state.revision(), state.tokens().count())), (Revision(2), 2));
    assert_eq!(*catalogue.applied().borrow(), Revision(2));
    assert_eq!(log.try_get_log_entries(..).await.unwrap(), [entry(2), entry(3)]);
}

#[tokio::test]
async fn a_leader_that_starts_anew_does_not_lead() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut log, ..) = open(dir.path()).unwrap();
        log.save_vote(&Vote::new_committed(4, 1)).await.unwrap();
        assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new_committed(4, 1)));
    }
    // It keeps its vote, and opens as often as it likes: what is on disk did not go back.
    for _ in 0..2 {
        let (mut log, ..) = open(dir.path()).unwrap();
        assert_eq!(log.read_vote().await.unwrap(), Some(Vote::new(4, 1)));
    }
}

#[tokio::test]
async fn an_entry_that_waits_for_the_disk_is_not_applied() {
    let dir = tempfile::tempdir().unwrap();
    let (db, writing) = (open_db(dir.path(), &identity()).unwrap(), Writing::new());
    let catalogue = Arc::new(Catalogue::new(100, Metrics::default()));
    let snapshots = SnapshotStore::new(db);
    let mut machine = StateMachine::load(Arc::clone(&catalogue), snapshots, writing.durable(), None).unwrap();
    writing.written(1, 1);
    let mut applying = Box::pin(machine.apply([membership(), entry(1)]));
    assert!(applying.as_mut().now_or_never().is_none());
    assert_eq!(*catalogue.applied().borrow(), Revision(0));
    writing.flushed(1, Ok(()));
    applying.await.unwrap();
    assert_eq!(*catalogue.applied().borrow(), Revision(1));
}

#[tokio::test]
async fn a_directory_of_another_owner_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let other_server = StoreIdentity { server: ServerId(2), ..identity() };
    let other_set = StoreIdentity { clusterset: "prod".parse().unwrap(), ..identity() };
    for other in [other_server, other_set] {
        let refused = open_db(dir.path(), &other).unwrap_err();
        assert!(matches!(&refused, StoreError::Foreign { found, .. } if found == &identity()), "{refused}");
    }
    // The engine's own record counts too: a marker taken from elsewhere does not open it.
    std::fs::write(dir.path().join("isthmus-server"), "format 1\nclusterset lab\nserver 2\n").unwrap();
    let other = StoreIdentity { server: ServerId(2), ..identity() };
    assert!(matches!(open_db(dir.path(), &other), Err(StoreError::Foreign { .. })));
}

#[tokio::test]
async fn a_newer_format_a_lost_log_and_a_held_directory_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let held = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::InUse { .. })));
    drop(held);

    let marker = dir.path().join("isthmus-server");
    let original = std::fs::read_to_string(&marker).unwrap();
    std::fs::write(&marker, "format 2\nsomething new\n").unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::NewerFormat { found: 2, supported: 1, .. })));
    std::fs::write(&marker, "garbage").unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::Corrupt { .. })));
    std::fs::write(&marker, original).unwrap();
    std::fs::remove_dir_all(dir.path().join("raft.sled")).unwrap();
    assert!(matches!(open(dir.path()), Err(StoreError::Lost { .. })));
}

#[tokio::test]
async fn corrupt_entries_are_errors_that_name_the_entry() {
    let dir = tempfile::tempdir().unwrap();
    let db = open_db(dir.path(), &identity()).unwrap();
    let mut log = LogStore::open(db.clone(), ServerId(1)).unwrap();
    log.blocking_append([membership(), entry(1), entry(2), entry(3)]).await.unwrap();
    // One that did not write them has them on disk only.
    let mut log = LogStore::open(db.clone(), ServerId(1)).unwrap();
    db.append([(2, vec![1, 0xc1, 0xff])]).unwrap();
    let error = log.try_get_log_entries(1..4).await.unwrap_err();
    assert!(error.to_string().contains("log entry 2 is corrupt"), "{error}");
    db.append([(2, encode(&entry(3)).unwrap())]).unwrap();
    let error = log.try_get_log_entries(1..4).await.unwrap_err();
    assert!(error.to_string().contains("log entry 2 holds the entry 3"), "{error}");
    db.append([(2, vec![200, 1])]).unwrap();
    assert!(log.try_get_log_entries(1..4).await.is_err());
}

#[tokio::test]
async fn entries_in_neither_snapshot_nor_log_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut log, _machine, _) = open(dir.path()).unwrap();
        log.blocking_append([membership(), entry(1), entry(2)]).await.unwrap();
        log.purge(log_id(1)).await.unwrap();
    }
    assert!(matches!(open(dir.path()), Err(StoreError::Gap { after: 0, purged: 1 })));
}

#[tokio::test]
async fn a_slow_builder_does_not_replace_a_later_snapshot() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_, mut leader, _) = open(from.path()).unwrap();
    leader.apply([membership(), entry(1), entry(2)]).await.unwrap();
    let later = leader.get_snapshot_builder().await.build_snapshot().await.unwrap();

    let (_, mut follower, catalogue) = open(to.path()).unwrap();
    follower.apply([membership(), entry(1)]).await.unwrap();
    let mut slow = follower.get_snapshot_builder().await;
    follower.install_snapshot(&later.meta, later.snapshot).await.unwrap();
    slow.build_snapshot().await.unwrap();

    assert_eq!(follower.get_current_snapshot().await.unwrap().unwrap().meta, later.meta);
    assert_eq!(catalogue.read(|state, _| state.tokens().count()), 2);
}

/// An entry that registers a cluster, which watchers are told.
fn registration(index: u64) -> Entry {
    let command = Command::RegisterCluster(Registration {
        cluster: format!("c{index}").parse().unwrap(),
        instance: "0".repeat(32).parse().unwrap(),
        network: "n".parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: format!("c{index}.lab").parse().unwrap(),
        gateways: Vec::new(),
    });
    let batch = Batch { at: UnixMillis(index), commands: vec![command] };
    Entry { log_id: log_id(index), payload: EntryPayload::Normal(Arc::new(batch)) }
}

#[tokio::test]
async fn a_server_that_starts_from_a_snapshot_knows_what_changed_before_it() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let changed = |catalogue: &Catalogue, after| {
        catalogue.read(|_, changes| changes.since(Revision(after)).map(|keys| keys.len()))
    };
    let snapshot = {
        let (_, mut machine, _) = open(from.path()).unwrap();
        machine.apply([membership(), registration(1), registration(2), entry(3)]).await.unwrap();
        machine.get_snapshot_builder().await.build_snapshot().await.unwrap()
    };
    let (_, _machine, restarted) = open(from.path()).unwrap();
    let (_, mut follower, installed) = open(to.path()).unwrap();
    follower.install_snapshot(&snapshot.meta, snapshot.snapshot).await.unwrap();
    for catalogue in [restarted, installed] {
        assert_eq!([0, 1, 2].map(|after| changed(&catalogue, after)), [Some(2), Some(1), Some(0)]);
    }
}

#[test]
fn a_snapshot_from_before_there_were_changes_in_it_is_read() {
    #[derive(serde::Serialize)]
    struct Old {
        state: State,
        at: UnixMillis,
    }
    let old = encode(&Old { state: State::default(), at: UnixMillis(7) }).unwrap();
    let body = Body { state: State::default(), at: UnixMillis(7), tail: None };
    assert_eq!(Body::decode(&old).unwrap(), body);
}

#[tokio::test]
async fn entries_that_change_nothing_wake_nobody_who_waits_for_news() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut machine, catalogue) = open(dir.path()).unwrap();
    let news = catalogue.news();
    machine.apply([membership(), entry(1)]).await.unwrap();
    assert!(!news.has_changed().unwrap());
    machine.apply([registration(2), entry(3)]).await.unwrap();
    assert_eq!((*news.borrow(), *catalogue.applied().borrow()), (Revision(2), Revision(3)));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut machine, catalogue) = open(dir.path()).unwrap();
    machine.apply([membership(), entry(1)]).await.unwrap();
    let meta = machine.get_snapshot_builder().await.build_snapshot().await.unwrap().meta;
    let mut received: Box<<TypeConfig as RaftTypeConfig>::SnapshotData> =
        machine.begin_receiving_snapshot().await.unwrap();
    received.get_mut().extend([1, 2, 3]);
    assert!(machine.install_snapshot(&meta, received).await.is_err());
    assert_eq!(catalogue.read(|state, _| state.tokens().count()), 1);
}

#[tokio::test]
async fn a_log_that_is_purged_does_not_grow_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let db = open_db(dir.path(), &identity()).unwrap();
    let mut log = LogStore::open(db.clone(), ServerId(1)).unwrap();
    let value = vec![7; 64 * 1024];
    let mut largest = 0;
    for round in 0..40_u64 {
        // As an append and a purge do, with entries that are large: 2.5 MiB a round, 100 MiB in all.
        db.append((0..40).map(|at| (round * 40 + at, value.clone()))).unwrap();
        db.flush().await.unwrap();
        log.purge(log_id(round * 40 + 39)).await.unwrap();
        largest = largest.max(db.size_on_disk());
    }
    assert!(largest < 48 * 1024 * 1024, "{largest} bytes on disk");
}

mod damage;
mod restore;
