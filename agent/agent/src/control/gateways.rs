//! What the gateways said about the configurations that they were given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::watch;

/// Most gateways that are remembered, and most that watch at once.
pub const MAX_GATEWAYS: usize = 64;
/// Longest gateway name and version, in bytes.
pub const MAX_NAME: usize = 256;
/// Most problems of one report; further ones are left out.
pub const MAX_PROBLEMS: usize = 64;
/// Most bytes of one problem; what is longer is cut.
pub const MAX_PROBLEM: usize = 512;

/// One gateway's last word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayStatus {
    /// The version that it spoke of; none if it has only asked so far.
    pub version: Option<String>,
    /// What it could not do, one reason each; empty if it applied everything.
    pub problems: Vec<String>,
    /// Streams on which it watches now.
    pub watching: usize,
}

/// Every gateway's last word, by name. Cheap to clone. A gateway that is gone keeps its last word until its place is needed
/// by another: pods get a new name each time. Two gateways that say the same name are one line, with both streams counted.
#[derive(Debug, Clone)]
pub struct Gateways(Arc<watch::Sender<Book>>);

#[derive(Debug, Default)]
struct Book {
    all: BTreeMap<String, GatewayStatus>,
    /// Their names, those that said something last at the end.
    order: VecDeque<String>,
}

impl Default for Gateways {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Book::default())))
    }
}

/// A gateway's watch; it counts while it lives.
#[derive(Debug)]
pub struct Watching {
    gateways: Gateways,
    name: String,
}

impl Gateways {
    /// All of them, by name.
    pub fn all(&self) -> BTreeMap<String, GatewayStatus> {
        self.0.borrow().all.clone()
    }

    /// Waits until `done`, which is asked at every change.
    pub async fn wait_for(&self, mut done: impl FnMut(&BTreeMap<String, GatewayStatus>) -> bool) {
        // The sender lives in `self`, so that this ends only when it is so.
        let _ = self.0.subscribe().wait_for(|book| done(&book.all)).await;
    }

    /// Notes a report; false if there are too many gateways.
    pub(super) fn report(&self, name: &str, version: String, problems: Vec<String>) -> bool {
        let problems = problems
            .into_iter()
            .take(MAX_PROBLEMS)
            .map(|problem| problem.chars().take(MAX_PROBLEM).collect());
        let problems = problems.collect();
        self.update(name, |status| {
            status.version = Some(version);
            status.problems = problems;
        })
    }

    /// Notes that a gateway watches; none if there are too many gateways.
    pub(super) fn watching(&self, name: &str) -> Option<Watching> {
        let entered = self.update(name, |status| status.watching += 1);
        entered.then(|| Watching { gateways: self.clone(), name: name.to_owned() })
    }

    fn update(&self, name: &str, change: impl FnOnce(&mut GatewayStatus)) -> bool {
        self.0.send_if_modified(|book| {
            let room = book.all.contains_key(name) || book.all.len() < MAX_GATEWAYS || book.forget_one();
            if room {
                book.order.retain(|known| known != name);
                book.order.push_back(name.to_owned());
                change(book.all.entry(name.to_owned()).or_default());
            }
            room
        })
    }
}

impl Book {
    /// Forgets the gateway that is gone for longest; false if none is gone.
    fn forget_one(&mut self) -> bool {
        let gone = |name: &String| self.all.get(name).is_none_or(|status| status.watching == 0);
        let Some(at) = self.order.iter().position(gone) else { return false };
        if let Some(name) = self.order.remove(at) {
            self.all.remove(&name);
        }
        true
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.gateways.update(&self.name, |status| status.watching = status.watching.saturating_sub(1));
    }
}
