//! Whose the directory is, and what becomes of papers that were kept outside of it.

use super::*;

fn open(path: &Path, cluster: &str) -> Result<DataDir, DataDirError> {
    DataDir::open(path, &"lab".parse().unwrap(), &cluster.parse().unwrap())
}

#[test]
fn an_instance_stays_the_same_and_is_alone() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("agent");
    let first = open(&path, "east").unwrap();
    let instance = first.instance().clone();
    assert!(matches!(open(&path, "east"), Err(DataDirError::InUse(_))));
    drop(first);
    assert_eq!(open(&path, "east").unwrap().instance(), &instance);
    assert_ne!(open(&root.path().join("other"), "east").unwrap().instance(), &instance);
}

#[test]
fn a_directory_of_another_cluster_or_a_newer_version_is_refused_untouched() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path(), "east").unwrap());
    let file = root.path().join("agent.json");
    let before = std::fs::read(&file).unwrap();
    let foreign = open(root.path(), "west").unwrap_err().to_string();
    assert!(foreign.contains("belongs to cluster east of lab"), "{foreign}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::write(&file, r#"{"version": 9, "whatever": 1}"#).unwrap();
    assert!(matches!(open(root.path(), "east"), Err(DataDirError::Newer { found: 9, .. })));
    std::fs::write(&file, "{").unwrap();
    assert!(matches!(open(root.path(), "east"), Err(DataDirError::Damaged { .. })));
}

fn kept_of(path: &Path) -> Papers {
    let data = open(path, "east").unwrap();
    for name in ["ca.key", "ca.pem", "membership.json"] {
        std::fs::write(data.file(name), format!("{name} of {}", data.instance())).unwrap();
    }
    data.papers().unwrap()
}

fn open_with(path: &Path, cluster: &str, kept: &Papers) -> Result<DataDir, DataDirError> {
    DataDir::open_with(path, &"lab".parse().unwrap(), &cluster.parse().unwrap(), Some(kept))
}

#[test]
fn kept_papers_make_an_empty_directory_the_same_installation() {
    let root = tempfile::tempdir().unwrap();
    let kept = kept_of(&root.path().join("old"));
    let data = open_with(&root.path().join("new"), "east", &kept).unwrap();
    assert_eq!(data.papers().unwrap(), kept);
    assert!(data.is_owner_of(&kept));
}

#[test]
fn kept_papers_replace_all_those_of_another_installation() {
    let root = tempfile::tempdir().unwrap();
    let mut kept = kept_of(&root.path().join("old"));
    let other = root.path().join("other");
    kept_of(&other);
    kept.remove("membership.json");
    let data = open_with(&other, "east", &kept).unwrap();
    assert_eq!(data.papers().unwrap(), kept, "a membership that belongs to other papers is gone");
}

#[test]
fn what_the_same_installation_wrote_and_could_not_keep_stays() {
    let root = tempfile::tempdir().unwrap();
    let mut kept = kept_of(root.path());
    let membership = kept.remove("membership.json").unwrap();
    kept.insert("ca.pem".to_owned(), Zeroizing::new(b"kept".to_vec()));
    let papers = open_with(root.path(), "east", &kept).unwrap().papers().unwrap();
    assert_eq!(papers.get("membership.json"), Some(&membership));
    assert_eq!(papers.get("ca.pem").unwrap().as_slice(), b"kept");
}

#[test]
fn kept_papers_of_another_cluster_or_a_later_version_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    let kept = kept_of(&root.path().join("old"));
    let path = root.path().join("new");
    assert!(matches!(open_with(&path, "west", &kept), Err(DataDirError::ForeignPapers { .. })));
    let agent = |text: &str| Papers::from([(OWNER.to_owned(), Zeroizing::new(text.as_bytes().to_vec()))]);
    let newer = open_with(&path, "east", &agent(r#"{"version": 9}"#));
    assert!(matches!(newer, Err(DataDirError::NewerPapers { found: 9 })));
    assert!(matches!(open_with(&path, "east", &agent("{")), Err(DataDirError::DamagedPapers { .. })));
    assert!(!DataDir::is_used(&path));
    // A place that holds nothing of ours is like an empty one.
    assert!(open_with(&path, "east", &Papers::new()).is_ok());
}
