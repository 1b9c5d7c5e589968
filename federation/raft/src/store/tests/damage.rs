//! What a damaged file does to a server that opens it: it says so, or it has everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::store::open::{self, Store};

/// All that a store says of itself.
#[derive(Debug, PartialEq)]
struct Said {
    vote: Option<Vote>,
    entries: Vec<Entry>,
    revision: Revision,
    tokens: usize,
}

/// An entry of several kilobytes, so that the files are worth damaging.
fn big(index: u64) -> Entry {
    let Entry { log_id, payload } = entry(index);
    let payload = match payload {
        EntryPayload::Normal(batch) => {
            let commands = batch.commands.iter().cycle().take(100).cloned().collect();
            EntryPayload::Normal(Arc::new(Batch { at: batch.at, commands }))
        }
        other => other,
    };
    Entry { log_id, payload }
}

/// What a server leaves behind that is killed (vote, log, snapshot, purges), its engine's file, and what it says.
async fn killed() -> (TempDir, Vec<u8>, Said) {
    let (alive, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut log, mut machine, _) = open(alive.path()).unwrap();
    log.save_vote(&Vote::new(2, 2)).await.unwrap();
    log.blocking_append(std::iter::once(membership()).chain((1..=120).map(big))).await.unwrap();
    machine.apply((1..=60).map(entry)).await.unwrap();
    machine.get_snapshot_builder().await.build_snapshot().await.unwrap();
    log.purge(log_id(40)).await.unwrap();
    for index in 121..=200 {
        log.blocking_append([big(index)]).await.unwrap();
    }
    copy(alive.path(), left.path());
    // Opened once, it would be another file.
    let opened = tempfile::tempdir().unwrap();
    copy(left.path(), opened.path());
    let file = std::fs::read(engine(left.path())).unwrap();
    (left, file, said(opened.path()).await.unwrap())
}

async fn said(dir: &Path) -> Result<Said, StoreError> {
    let Store { mut log, catalogue, .. } =
        open::open(dir.to_owned(), identity(), BTreeMap::new(), 100, &Metrics::default()).await?;
    let (revision, tokens) = catalogue.read(|state, _| (state.revision(), state.tokens().count()));
    let (vote, entries) = (log.read_vote().await.unwrap(), log.try_get_log_entries(..).await.unwrap());
    Ok(Said { vote, entries, revision, tokens })
}

fn copy(from: &Path, to: &Path) {
    for found in std::fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let target = to.join(found.file_name());
        if found.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&found.path(), &target);
        } else {
            std::fs::copy(found.path(), target).unwrap();
        }
    }
}

fn engine(dir: &Path) -> PathBuf {
    dir.join("raft.sled").join("db")
}

/// Opens a copy of `left` whose engine file is `bytes`; whether it said that it is damaged. It must not lie.
async fn damaged(left: &Path, bytes: &[u8], expected: &Said, how: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    copy(left, dir.path());
    std::fs::write(engine(dir.path()), bytes).unwrap();
    match said(dir.path()).await {
        Ok(found) => {
            assert!(found == *expected, "{how}: it has {} entries and serves them", found.entries.len());
            false
        }
        Err(StoreError::Damaged { .. } | StoreError::Lost { .. } | StoreError::Gap { .. }) => true,
        Err(other) => panic!("{how}: {other:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_is_noticed_or_does_no_harm() {
    let (left, good, expected) = killed().await;
    assert_eq!((expected.entries.len(), expected.revision, expected.tokens), (160, Revision(60), 60));

    let used: Vec<usize> =
        good.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect();
    let mut noticed = 0;
    for flip in 0..120 {
        let at = used[used.len() * flip / 120];
        let mut bad = good.clone();
        bad[at] ^= 1 << (flip % 8);
        noticed +=
            u32::from(damaged(left.path(), &bad, &expected, &format!("bit {} of {at}", flip % 8)).await);
    }
    assert!(noticed > 30, "only {noticed} of 120 were noticed: what is damaged is not in use");
}

#[tokio::test]
async fn a_truncated_file_is_noticed_or_has_lost_nothing() {
    let (left, good, expected) = killed().await;
    let mut noticed = 0;
    for cut in 1..20 {
        let kept = &good[..good.len() * cut / 20];
        noticed += u32::from(damaged(left.path(), kept, &expected, &format!("{cut} of 20 parts")).await);
    }
    // How much at the end of the file is not in use is the engine's affair.
    assert!(noticed > 10, "only {noticed} of 19 were noticed");
}

#[tokio::test]
async fn an_end_of_the_log_that_is_given_up_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (mut log, _machine, _) = open(dir.path()).unwrap();
        log.blocking_append([membership(), entry(1), entry(2), entry(3)]).await.unwrap();
        log.truncate(log_id(2)).await.unwrap();
    }
    assert_eq!(said(dir.path()).await.unwrap().entries, [membership(), entry(1)]);
}

#[tokio::test]
async fn a_vote_that_is_gone_is_damage() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut log, ..) = open(old.path()).unwrap();
    log.save_vote(&Vote::new(1, 1)).await.unwrap();
    copy(old.path(), new.path());
    log.save_vote(&Vote::new(2, 1)).await.unwrap();
    // The engine of before, with the mark of now.
    std::fs::copy(old.path().join("raft.mark"), new.path().join("raft.mark")).unwrap();
    let error = said(new.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { lost, .. } if lost.contains("its vote")), "{error:?}");
}

#[tokio::test]
async fn a_hole_in_the_log_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    {
        let db = open_db(dir.path(), &identity()).unwrap();
        let mut log = LogStore::open(db.clone(), ServerId(1)).unwrap();
        log.blocking_append([membership(), entry(1)]).await.unwrap();
        db.append([(3, encode(&entry(3)).unwrap())]).unwrap();
        db.flush().await.unwrap();
    }
    let error = said(dir.path()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { lost, .. } if lost == "entries 2 to 2 of its log"),
        "{error:?}"
    );
}
