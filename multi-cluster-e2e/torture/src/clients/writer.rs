//! Writes one slot, one write after the other.
//!
//! The client library says of each export which generation of it is committed, and not which content that was. A
//! write is therefore made only while the one before is known to be committed, under the eyes of no agent that is just
//! being replaced, and what is committed with a generation from before the write does not count as it (generations
//! are counted from the clock). A removal counts as acknowledged when the cluster's own view is without it: the
//! library does not say more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_client::{ItemState, PublishStatus};
use federation_model::export::ExportScope;
use federation_model::{ClusterId, FederationView, Generation, Revision, ServiceId};
use multi_cluster_e2e_history::{Slot, Wish, WriteId};
use rand::Rng;
use tokio::sync::{RwLock, watch};

use super::agent::Agent;
use super::objects::Objects;
use crate::recorder::Recorder;

/// Pause between two writes of one slot.
const PAUSE: std::ops::Range<u64> = 50..400;
/// How often an agent is looked at that was replaced meanwhile.
const LOOK: Duration = Duration::from_millis(500);

/// Whether writers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// They do.
    Write,
    /// They finish what they began, and rest.
    Rest,
}

/// What is committed in a slot.
#[derive(Debug, Clone, Copy)]
struct Committed {
    generation: Generation,
    revision: Revision,
}

/// The writer of one slot.
#[derive(Debug)]
pub struct Writer {
    /// What.
    pub service: ServiceId,
    /// Whose.
    pub objects: Arc<Objects>,
    /// The cluster's agent of the moment; whoever replaces it holds the lock.
    pub agent: Arc<RwLock<Agent>>,
    /// All clusters, to draw scopes from.
    pub clusters: Arc<Vec<ClusterId>>,
    /// Takes notes.
    pub recorder: Recorder,
    /// When to write.
    pub pace: watch::Receiver<Pace>,
    /// How many writers have something under way.
    pub busy: watch::Sender<usize>,
}

impl Writer {
    /// Writes until it is dropped.
    pub async fn run(mut self) {
        let mut exported = false;
        let mut last = None;
        loop {
            // The sender lives as long as the federation, which drops this task first.
            if self.pace.wait_for(|pace| *pace == Pace::Write).await.is_err() {
                return;
            }
            self.busy.send_modify(|busy| *busy += 1);
            let remove = exported && rand::rng().random_range(0..4) == 0;
            let acknowledged = self.write(remove, last).await;
            self.busy.send_modify(|busy| *busy -= 1);
            (exported, last) = (!remove, acknowledged);
            let pause = rand::rng().random_range(PAUSE);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Makes one write and waits until it is acknowledged; gives back as what, where something is there afterwards.
    async fn write(&self, remove: bool, last: Option<Committed>) -> Option<Committed> {
        let scope = scope(&self.clusters);
        let slot = Slot { service: self.service.clone(), cluster: self.objects.cluster.clone() };
        let wish = if remove { Wish::Remove } else { Wish::Put { scope: scope.clone() } };
        let (write, since) = loop {
            let agent = self.agent.read().await;
            // An agent that is new says everything again; before it did, its answers could be to either write.
            if last.is_none() || self.committed(&agent.publish.borrow()).is_some() {
                let since = next_millisecond().await;
                let write = self.recorder.proposed(slot, wish);
                self.change(remove, write, scope);
                break (write, since);
            }
            let mut publish = agent.publish.clone();
            drop(agent);
            let _ = tokio::time::timeout(LOOK, publish.changed()).await;
        };
        loop {
            let agent = self.agent.read().await;
            let (mut publish, mut view) = (agent.publish.clone(), agent.view.clone());
            drop(agent);
            // Not for ever: the agent may have been replaced.
            let waited = tokio::time::timeout(LOOK, async {
                match last.filter(|_| remove) {
                    Some(there) => (self.gone(&mut view, there).await, None),
                    None => {
                        let committed = self.there(&mut publish, since).await;
                        (committed.revision, Some(committed))
                    }
                }
            });
            if let Ok((revision, committed)) = waited.await {
                self.recorder.acknowledged(write, revision);
                return committed;
            }
        }
    }

    fn change(&self, remove: bool, write: WriteId, scope: ExportScope) {
        if remove {
            self.objects.remove(&self.service);
        } else {
            self.objects.put(&self.service, write, scope);
        }
    }

    fn committed(&self, status: &PublishStatus) -> Option<Committed> {
        match status.exports.get(&self.service) {
            Some(ItemState::Committed { generation, revision }) => {
                Some(Committed { generation: *generation, revision: *revision })
            }
            _ => None,
        }
    }

    async fn there(&self, publish: &mut watch::Receiver<PublishStatus>, since: Generation) -> Committed {
        loop {
            let committed = self.committed(&publish.borrow_and_update());
            if let Some(committed) = committed.filter(|committed| committed.generation >= since) {
                return committed;
            }
            if publish.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until a whole view of no earlier than what was `there` is without it.
    async fn gone(&self, view: &mut watch::Receiver<Arc<FederationView>>, there: Committed) -> Revision {
        loop {
            {
                let view = view.borrow_and_update();
                let exporters = view.exports.get(&self.service);
                let present = exporters.is_some_and(|all| all.contains_key(&self.objects.cluster));
                if !present && view.revision >= there.revision {
                    return view.revision;
                }
            }
            if view.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// For everybody, or for some.
fn scope(clusters: &[ClusterId]) -> ExportScope {
    let mut random = rand::rng();
    if random.random() {
        return ExportScope::All;
    }
    let named: BTreeSet<ClusterId> = clusters.iter().filter(|_| random.random()).cloned().collect();
    ExportScope::Clusters(named)
}

fn now() -> Generation {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Generation(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A generation that no write from before has, and that every later one reaches.
async fn next_millisecond() -> Generation {
    let next = Generation(now().0.saturating_add(1));
    while now() < next {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    next
}
