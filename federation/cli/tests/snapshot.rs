//! Backups as files: what is put where, and what is refused. Saving needs servers, and is tried by
//! `multi-cluster-e2e/scenarios`.

#![allow(clippy::unwrap_used, reason = "a failed conversion is a failed test")]

use std::fs;
use std::path::Path;

use federation_cli::failure::Kind;
use federation_cli::output::Report;
use federation_cli::verbs::snapshot::{self, Contents};
use federation_model::backup::RESTORE_FILE;
use federation_model::command::Registration;
use federation_model::{Backup, Batch, Command, Revision, State, UnixMillis};

fn backup() -> Vec<u8> {
    let mut state = State::default();
    let registration = Registration {
        cluster: "east".parse().unwrap(),
        instance: "0".repeat(32).parse().unwrap(),
        network: "n".parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: "east.lab".parse().unwrap(),
        gateways: Vec::new(),
    };
    let at = UnixMillis(1_800_000_000_000);
    state.apply(Revision(9), &Batch { at, commands: vec![Command::RegisterCluster(registration)] });
    Backup::of(state, "lab".parse().unwrap(), at, "0.1.0".to_owned()).to_bytes().unwrap()
}

#[test]
fn what_is_in_a_backup_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalogue.backup");
    fs::write(&file, backup()).unwrap();
    let shown = snapshot::inspect(&file).unwrap();
    // The size depends on the lengths of numbers in it.
    let shown = Contents { file: "catalogue.backup".into(), bytes: 1_000, ..shown };
    let both = format!("{}\n{}\n", shown.to_text(), serde_json::to_string_pretty(&shown).unwrap());
    insta::assert_snapshot!("snapshot", both);
}

#[test]
fn a_backup_is_put_into_an_empty_directory_and_into_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("catalogue.backup"), dir.path().join("new/data"));
    fs::write(&file, backup()).unwrap();
    let restored = snapshot::restore(&file, &data).unwrap();
    assert!(restored.to_text().contains("will begin with revision 9 of lab"), "{}", restored.to_text());
    assert_eq!(fs::read(data.join(RESTORE_FILE)).unwrap(), backup());
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1);

    let again = snapshot::restore(&file, &data).unwrap_err();
    assert_eq!(again.kind(), Kind::Refused);
    assert!(again.to_string().contains("is not empty"), "{again}");
}

#[test]
fn what_is_no_whole_backup_is_named_and_put_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (file, data) = (dir.path().join("wrong"), dir.path().join("data"));
    let whole = backup();
    let half = whole.get(..whole.len() / 2).unwrap().to_vec();
    for (bytes, said) in [(b"apiVersion: v1".to_vec(), "is not a backup"), (half, "is damaged")] {
        fs::write(&file, bytes).unwrap();
        for failure in [snapshot::inspect(&file).unwrap_err(), snapshot::restore(&file, &data).unwrap_err()] {
            assert!(failure.to_string().contains(said), "{failure}");
        }
        assert!(!data.exists());
    }
    let missing = snapshot::inspect(Path::new("/nowhere/file")).unwrap_err();
    assert_eq!(missing.kind(), Kind::Usage);
}
