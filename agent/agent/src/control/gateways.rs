//! What the gateways said about the configurations that they were given.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

/// Most gateways of one cluster.
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

/// Every gateway's last word, by name. Cheap to clone. A gateway that is gone keeps its last word.
#[derive(Debug, Clone)]
pub struct Gateways(Arc<watch::Sender<BTreeMap<String, GatewayStatus>>>);

impl Default for Gateways {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
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
        self.0.borrow().clone()
    }

    /// Waits until `done`, which is asked at every change.
    pub async fn wait_for(&self, done: impl FnMut(&BTreeMap<String, GatewayStatus>) -> bool) {
        // The sender lives in `self`, so that this ends only when it is so.
        let _ = self.0.subscribe().wait_for(done).await;
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
        self.0.send_if_modified(|all| {
            if all.len() >= MAX_GATEWAYS && !all.contains_key(name) {
                return false;
            }
            change(all.entry(name.to_owned()).or_default());
            true
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.gateways.update(&self.name, |status| status.watching = status.watching.saturating_sub(1));
    }
}
