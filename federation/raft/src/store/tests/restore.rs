//! Beginning with a backup.

use std::collections::BTreeMap;

use federation_model::Backup;
use federation_model::backup::RESTORE_FILE;

use super::*;
use crate::store::open;
use crate::types::Member;

fn backup_of(clusterset: &str) -> Vec<u8> {
    let catalogue = Catalogue::new(1, Metrics::default());
    let entry = entry(7);
    let EntryPayload::Normal(batch) = &entry.payload else { panic!("an entry of a batch") };
    catalogue.apply([(Revision(7), Some(&**batch))]);
    let (state, _, at) = catalogue.copy();
    Backup::of(state, clusterset.parse().unwrap(), at, "0.1.0".to_owned()).to_bytes().unwrap()
}

async fn start(dir: &Path) -> Result<open::Store, StoreError> {
    let members =
        [1, 2, 3].map(|id| (ServerId(id), Member { api: format!("new-{id}:1"), raft: String::new() }));
    open::open(dir.to_owned(), identity(), BTreeMap::from(members), 100, &Metrics::default()).await
}

fn put(dir: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(RESTORE_FILE), bytes).unwrap();
}

#[tokio::test]
async fn an_empty_directory_begins_with_the_backup_and_the_members_of_now() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &backup_of("lab"));
    let mut reached = Vec::new();
    for _ in 0..2 {
        let mut store = start(dir.path()).await.unwrap();
        let (applied, membership) = store.machine.applied_state().await.unwrap();
        assert_eq!(membership.voter_ids().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(membership.membership().get_node(&2).unwrap().member(None).api, "new-2:1");
        let log = store.log.get_log_state().await.unwrap();
        assert_eq!((log.last_log_id, log.last_purged_log_id), (applied, applied));
        let (tokens, revision, last) = store.catalogue.read(|state, _| {
            let last = state.audit().after(0).last().unwrap();
            (state.tokens().count(), state.revision(), last.change.action())
        });
        assert_eq!((tokens, last), (1, "restored"));
        assert!(revision.0 > 7 + 1_000_000, "beyond what the old servers can have reached: {revision}");
        reached.push(revision);
        assert!(!dir.path().join(RESTORE_FILE).exists(), "the file was used up");
    }
    assert_eq!(reached[0], reached[1]);
}

#[tokio::test]
async fn a_crash_before_the_file_was_used_up_is_made_good_and_a_log_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &backup_of("lab"));
    drop(start(dir.path()).await.unwrap());
    put(dir.path(), &backup_of("lab"));
    let mut store = start(dir.path()).await.unwrap();
    store.log.save_vote(&Vote::new(1, 1)).await.unwrap();
    drop(store);

    put(dir.path(), &backup_of("lab"));
    let refused = start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Backup { .. }), "{refused}");
    assert!(dir.path().join(RESTORE_FILE).exists());
    std::fs::remove_file(dir.path().join(RESTORE_FILE)).unwrap();
    let mut store = start(dir.path()).await.unwrap();
    assert_eq!(store.log.read_vote().await.unwrap(), Some(Vote::new(1, 1)));
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_of_others_founds_nothing() {
    let mut damaged = backup_of("lab");
    damaged[40] ^= 1;
    for (bytes, said) in [(damaged, "is damaged"), (backup_of("prod"), "it is of clusterset prod")] {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), &bytes);
        let refused = start(dir.path()).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was made beside it");
    }
}
