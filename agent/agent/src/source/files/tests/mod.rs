//! A real directory and real inotify. Every wait is for a state, never for a time.

mod mistakes;
mod replaced;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use federation_kit::drain::{self, DrainTrigger};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::*;

/// Bounds how long a broken test hangs.
const HANG: Duration = Duration::from_secs(30);

/// A source that runs over a directory of its own.
pub(super) struct Lab {
    root: TempDir,
    states: watch::Receiver<Arc<SourceState>>,
    _drain: DrainTrigger,
    running: JoinHandle<()>,
}

impl Lab {
    /// Starts with these files in place.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("objects");
        fs::create_dir(&directory).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
        let (source, states) = FilesSource::open(&directory).unwrap();
        let (trigger, watcher) = drain::channel();
        Self { root, states, _drain: trigger, running: tokio::spawn(source.run(watcher)) }
    }

    pub(super) fn directory(&self) -> PathBuf {
        self.root.path().join("objects")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Waits for a state, and gives it.
    pub(super) async fn until(&mut self, what: &str, is: impl Fn(&SourceState) -> bool) -> Arc<SourceState> {
        let waited = tokio::time::timeout(HANG, self.states.wait_for(|state| is(state))).await;
        let found = waited.ok().map(|state| Arc::clone(&state.unwrap()));
        found.unwrap_or_else(|| panic!("never: {what}; {:#?}", *self.states.borrow()))
    }

    /// Waits until exactly these services are there.
    pub(super) async fn services(&mut self, names: &[&str]) -> Arc<SourceState> {
        self.until(&format!("services {names:?}"), |state| state.loaded && service_names(state) == names)
            .await
    }

    /// Everything published from now on, to see that nothing wrong was in between.
    pub(super) fn history(&self) -> JoinHandle<Vec<Vec<String>>> {
        let mut states = self.states.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            loop {
                let names = service_names(&states.borrow_and_update());
                let last = names.iter().any(|name| name == "last");
                seen.push(names);
                if last || states.changed().await.is_err() {
                    return seen;
                }
            }
        })
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.running.abort();
    }
}

pub(super) fn service_names(state: &SourceState) -> Vec<String> {
    state.objects.services.keys().map(|id| id.name.to_string()).collect()
}

pub(super) fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: demo}}\nspec: {{ports: [{{port: 80}}]}}\n"
    )
}

fn rename_into(lab: &Lab, from: &Path, name: &str) {
    fs::rename(from, lab.path(name)).unwrap();
}

#[tokio::test]
async fn files_come_change_and_go() {
    let mut lab =
        Lab::new(&[("a.yaml", &service("a")), ("ignored.txt", &service("no")), (".hidden.yaml", "{")]);
    assert!(lab.services(&["a"]).await.ok());
    lab.write("b.yml", service("b"));
    lab.services(&["a", "b"]).await;
    lab.write("b.yml", format!("{}---\n{}", service("b"), service("c")));
    lab.services(&["a", "b", "c"]).await;
    fs::remove_file(lab.path("a.yaml")).unwrap();
    lab.services(&["b", "c"]).await;
    lab.write("d.json", r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}"#);
    lab.until("the namespace", |state| state.objects.namespaces.len() == 1).await;
    fs::create_dir(lab.path("directory.yaml")).unwrap();
    lab.write("e.yaml", service("e"));
    assert!(lab.services(&["b", "c", "e"]).await.ok(), "a directory with such a name is passed over");
}

#[tokio::test]
async fn an_emptied_and_closed_file_counts_as_empty() {
    let mut lab = Lab::new(&[("a.yaml", &service("a"))]);
    lab.services(&["a"]).await;
    lab.write("a.yaml", "");
    lab.services(&[]).await;
}

#[tokio::test]
async fn a_directory_that_does_not_exist_yet_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("later");
    let (source, mut states) = FilesSource::open(&directory).unwrap();
    let (_trigger, watcher) = drain::channel();
    let running = tokio::spawn(source.run(watcher));
    let state = states.wait_for(|state| !state.problems.is_empty()).await.unwrap().clone();
    assert!(!state.loaded && !state.ok());
    assert_eq!(state.problems[0].reason, crate::source::Reason::Unreadable);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("a.yaml"), service("a")).unwrap();
    states.wait_for(|state| service_names(state) == ["a"] && state.ok()).await.unwrap();
    running.abort();
}

#[tokio::test]
async fn the_drain_ends_it() {
    let root = tempfile::tempdir().unwrap();
    let (source, _states) = FilesSource::open(root.path()).unwrap();
    let (trigger, watcher) = drain::channel();
    let running = tokio::spawn(source.run(watcher));
    assert_eq!(trigger.drain(HANG).await, drain::Drained::Complete);
    running.await.unwrap();
}
