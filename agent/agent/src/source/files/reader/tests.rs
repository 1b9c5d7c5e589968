//! What is believed while events are still on their way: the marks here never hear of anything unless told.

use notify::event::{
    AccessKind, AccessMode, CreateKind, DataChange, Event, EventKind, ModifyKind, RemoveKind,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::*;

const ONE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n";
const TWO: &str = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: two}\n";

struct Deaf {
    directory: TempDir,
    marks: Arc<Marks>,
    reader: Reader,
}

impl Deaf {
    /// Read once, with both namespaces in one file.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.yaml"), format!("{ONE}{TWO}")).unwrap();
        let path = directory.path().to_owned();
        let elsewhere = Arc::new(Marks::new(path.clone()));
        let watcher = Watcher::new(&path, elsewhere, Arc::new(Notify::new()));
        let marks = Arc::new(Marks::new(path.clone()));
        let mut deaf =
            Self { directory, marks: Arc::clone(&marks), reader: Reader::new(path, marks, watcher) };
        assert_eq!(deaf.names(), ["one", "two"]);
        deaf
    }

    fn names(&mut self) -> Vec<String> {
        self.reader.scan().state.objects.namespaces.iter().map(ToString::to_string).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tell(&self, name: &str, kind: EventKind) -> bool {
        self.marks.note(&Event::new(kind).add_path(self.path(name)))
    }
}

const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

#[test]
fn a_change_counts_when_its_writer_has_closed_the_file() {
    let mut deaf = Deaf::new();
    for text in ["", ONE] {
        fs::write(deaf.path("a.yaml"), text).unwrap();
        assert_eq!(deaf.names(), ["one", "two"], "no event yet: {text:?}");
    }
    assert!(!deaf.tell("a.yaml", WRITTEN), "nothing to read yet");
    assert_eq!(deaf.names(), ["one", "two"]);
    assert!(deaf.tell("a.yaml", CLOSED));
    assert_eq!(deaf.names(), ["one"]);
    // The word is used up: it does not vouch for the next change.
    fs::write(deaf.path("a.yaml"), "").unwrap();
    assert_eq!(deaf.names(), ["one"]);
}

#[test]
fn a_new_file_counts_when_its_writer_has_closed_it() {
    let mut deaf = Deaf::new();
    fs::write(deaf.path("b.yaml"), ONE.replace("one", "three")).unwrap();
    assert_eq!(deaf.names(), ["one", "two"]);
    assert!(!deaf.tell("b.yaml", EventKind::Create(CreateKind::File)));
    assert!(deaf.tell("b.yaml", CLOSED));
    assert_eq!(deaf.names(), ["one", "three", "two"]);
}

#[test]
fn a_file_that_is_not_there_is_only_gone_at_once_if_it_was_deleted() {
    let mut deaf = Deaf::new();
    fs::rename(deaf.path("a.yaml"), deaf.path("a.yaml~")).unwrap();
    assert_eq!(deaf.names(), ["one", "two"], "no event yet");
    assert!(deaf.reader.scan().look_again <= RENAMED_AWAY);
    assert!(deaf.tell("a.yaml", EventKind::Remove(RemoveKind::File)));
    assert!(deaf.names().is_empty());
}

#[test]
fn a_file_that_cannot_be_read_is_tried_again_at_the_next_event() {
    let mut deaf = Deaf::new();
    fs::remove_file(deaf.path("a.yaml")).unwrap();
    std::os::unix::fs::symlink(deaf.path("target"), deaf.path("a.yaml")).unwrap();
    let state = deaf.reader.scan().state;
    assert_eq!((state.objects.namespaces.len(), state.problems.len()), (2, 1));
    fs::write(deaf.path("target"), ONE).unwrap();
    assert_eq!(deaf.names(), ["one"], "a link to another file than before");
    fs::rename(deaf.path("target"), deaf.path("aside")).unwrap();
    assert_eq!(deaf.reader.scan().state.problems.len(), 1);
    fs::rename(deaf.path("aside"), deaf.path("target")).unwrap();
    assert!(deaf.reader.scan().state.ok(), "the same file as before it was away");
}
