//! When changes arrive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use federation_client::AgentHandle;
use federation_model::{ClusterId, FederationView, ServiceId};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::changes::{Change, Changes};
use super::fleet::Fleet;
use super::{OBSERVERS, Options};
use crate::samples::Samples;

/// How long to wait for the last change.
const PATIENCE: Duration = Duration::from_secs(30);
/// Changes that have not arrived, oldest first, behind which none is looked for in one view: looking must not become the
/// load. Whatever has arrived behind so many is found later, and counts as later.
const MISSES: usize = 64;

/// Watches the views of some importers.
pub(super) struct Observers {
    all: JoinSet<Observer>,
    over: watch::Sender<bool>,
}

/// What they saw.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) samples: Samples,
    /// Arrivals that did not come.
    pub(super) lost: u64,
}

/// One importer.
struct Observer {
    number: usize,
    options: Options,
    ids: Arc<[ClusterId]>,
    changes: Arc<Changes>,
    /// Changes that were looked at.
    known: usize,
    /// The oldest first.
    waiting: Vec<Change>,
    took: Vec<Duration>,
    lost: u64,
}

impl Observers {
    /// At most [`OBSERVERS`], evenly spread over the clusters.
    pub(super) fn start(fleet: &Fleet, changes: &Arc<Changes>, options: &Options) -> Self {
        let ids: Arc<[ClusterId]> = fleet.members.iter().map(|member| member.id.clone()).collect();
        let count = OBSERVERS.min(fleet.members.len());
        let over = watch::Sender::new(false);
        let mut all = JoinSet::new();
        for (number, member) in fleet.members.iter().enumerate() {
            let chosen = number * count / ids.len() != (number + 1) * count / ids.len();
            if let (true, Ok(AgentHandle { view, .. })) = (chosen, member.handle()) {
                let observer = Observer {
                    number,
                    options: options.clone(),
                    ids: Arc::clone(&ids),
                    changes: Arc::clone(changes),
                    known: 0,
                    waiting: Vec::new(),
                    took: Vec::new(),
                    lost: 0,
                };
                all.spawn(observer.run(view.clone(), over.subscribe()));
            }
        }
        Self { all, over }
    }

    /// All changes are made: waits for those that have not arrived, but not for ever.
    pub(super) async fn finish(mut self) -> anyhow::Result<Arrived> {
        self.over.send_replace(true);
        let (mut took, mut lost) = (Vec::new(), 0);
        while let Some(one) = self.all.join_next().await {
            let one = one.context("an observer panicked")?;
            lost += one.lost;
            took.extend(one.took);
        }
        Ok(Arrived { samples: took.into_iter().collect(), lost })
    }
}

impl Observer {
    async fn run(
        mut self,
        mut view: watch::Receiver<Arc<FederationView>>,
        mut over: watch::Receiver<bool>,
    ) -> Self {
        let mut deadline = None;
        loop {
            let seen = Arc::clone(&view.borrow_and_update());
            self.look(&seen, Instant::now());
            if *over.borrow() && self.waiting.is_empty() {
                return self;
            }
            let patience = match deadline {
                None if *over.borrow() => *deadline.insert(Instant::now() + PATIENCE),
                None => Instant::now() + PATIENCE,
                Some(deadline) => deadline,
            };
            let next = async {
                tokio::select! {
                    changed = view.changed() => changed.is_ok(),
                    changed = over.changed(), if deadline.is_none() => changed.is_ok(),
                }
            };
            let waited = timeout(patience.saturating_duration_since(Instant::now()), next).await;
            if waited == Ok(false) || (waited.is_err() && deadline.is_some()) {
                return self.give_up();
            }
        }
    }

    /// Takes in what was changed, and finds what has arrived.
    fn look(&mut self, view: &FederationView, now: Instant) {
        for change in self.changes.after(self.known) {
            self.known += 1;
            if self.imports(change.exporter) {
                self.waiting.push(change);
            }
        }
        let mut arrived: Vec<(usize, ServiceId)> = Vec::new();
        let mut misses = 0;
        for (place, change) in self.waiting.iter().enumerate() {
            if self.shows(view, change) {
                arrived.push((place, change.service.clone()));
            } else {
                misses += 1;
                if misses == MISSES {
                    break;
                }
            }
        }
        // What is shown may be a later change of a service: then the earlier ones have arrived in it.
        let took = &mut self.took;
        let mut place = 0;
        self.waiting.retain(|change| {
            let here = arrived.iter().any(|(last, service)| place <= *last && *service == change.service);
            place += 1;
            if here {
                took.push(now.saturating_duration_since(change.at));
            }
            !here
        });
    }

    fn shows(&self, view: &FederationView, change: &Change) -> bool {
        let exporters = view.exports.get(&change.service);
        let exporter = self.ids.get(change.exporter);
        let shown = exporters.zip(exporter).and_then(|(exporters, exporter)| exporters.get(exporter));
        shown.is_some_and(|shown| shown.ready() == change.ready)
    }

    fn imports(&self, exporter: usize) -> bool {
        let ahead = (self.number + self.options.clusters - exporter) % self.options.clusters;
        (1..=self.options.importers()).contains(&ahead)
    }

    fn give_up(mut self) -> Self {
        let now = Instant::now();
        for change in std::mem::take(&mut self.waiting) {
            self.lost += 1;
            self.took.push(now.saturating_duration_since(change.at));
        }
        self
    }
}
