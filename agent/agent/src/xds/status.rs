//! Which proxy has what: a snapshot for status pages, and a condition that tests and benchmarks can wait for.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::session::Verdict;

/// Most proxies that are served at one time.
pub const MAX_NODES: usize = 1_024;

/// What one proxy has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// By short type name (`cds`, `eds`, `lds`, `rds`, `sds`): the version that it accepted last.
    pub acked: BTreeMap<&'static str, String>,
    /// Responses that it rejected.
    pub rejected: u64,
    /// Its last complaint.
    pub last_error: Option<String>,
    /// The last configuration ([`crate::control::ConfigSender::set`]) that it has accepted wholly.
    pub settled: u64,
}

/// What every connected proxy has, by node id.
pub type Nodes = BTreeMap<String, NodeStatus>;

#[derive(Debug, Default)]
struct Entry {
    stream: u64,
    status: NodeStatus,
}

/// Status of all proxies. Cheap to clone.
#[derive(Debug, Clone)]
pub struct XdsStatus(Arc<watch::Sender<Table>>);

#[derive(Debug, Default)]
struct Table {
    nodes: BTreeMap<String, Entry>,
    streams: u64,
}

impl Default for XdsStatus {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Table::default())))
    }
}

/// A proxy's stream in the table. Its entry goes with it, unless the proxy came back by another stream.
#[derive(Debug)]
pub(super) struct StreamStatus {
    table: XdsStatus,
    node: String,
    stream: u64,
}

impl XdsStatus {
    /// What every connected proxy has now.
    pub fn nodes(&self) -> Nodes {
        copy(&self.0.borrow())
    }

    /// Waits until `done`, which is asked at every change.
    pub async fn wait_for(&self, mut done: impl FnMut(&Nodes) -> bool) -> Nodes {
        let mut changes = self.0.subscribe();
        loop {
            let nodes = copy(&changes.borrow_and_update());
            if done(&nodes) {
                return nodes;
            }
            if changes.changed().await.is_err() {
                // Cannot be: `self` holds the sender.
                return nodes;
            }
        }
    }

    /// Waits until a proxy has accepted a configuration, or a later one, wholly.
    pub async fn settled(&self, node: &str, sequence: u64) -> NodeStatus {
        let has = |nodes: &Nodes| nodes.get(node).is_some_and(|status| status.settled >= sequence);
        self.wait_for(has).await.remove(node).unwrap_or_default()
    }

    /// Enters a stream; none if there are too many proxies.
    pub(super) fn enter(&self, node: &str) -> Option<StreamStatus> {
        let mut entered = None;
        self.0.send_modify(|table| {
            if table.nodes.len() >= MAX_NODES && !table.nodes.contains_key(node) {
                return;
            }
            table.streams += 1;
            let entry = Entry { stream: table.streams, ..Entry::default() };
            entered = Some(entry.stream);
            table.nodes.insert(node.to_owned(), entry);
        });
        entered.map(|stream| StreamStatus { table: self.clone(), node: node.to_owned(), stream })
    }
}

fn copy(table: &Table) -> Nodes {
    table.nodes.iter().map(|(node, entry)| (node.clone(), entry.status.clone())).collect()
}

impl StreamStatus {
    /// Notes a verdict, and the configuration that is wholly accepted, if one is.
    pub(super) fn note(&self, verdict: Option<Verdict>, settled: Option<u64>) {
        self.table.0.send_if_modified(|table| {
            let Some(entry) = table.nodes.get_mut(&self.node).filter(|entry| entry.stream == self.stream)
            else {
                return false;
            };
            let before = entry.status.settled;
            entry.status.settled = settled.unwrap_or(before);
            match verdict {
                Some(Verdict::Accepted { kind, version }) => {
                    entry.status.acked.insert(kind.short(), version);
                    true
                }
                Some(Verdict::Rejected { kind, complaint }) => {
                    entry.status.rejected += 1;
                    entry.status.last_error = Some(format!("{}: {complaint}", kind.short()));
                    true
                }
                None => entry.status.settled != before,
            }
        });
    }
}

impl Drop for StreamStatus {
    fn drop(&mut self) {
        self.table.0.send_if_modified(|table| {
            let ours = table.nodes.get(&self.node).is_some_and(|entry| entry.stream == self.stream);
            if ours {
                table.nodes.remove(&self.node);
            }
            ours
        });
    }
}
