//! Takes in what the watches say, and publishes what it amounts to, at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_plan::SourceState;
use agent_plan::mcs::observed::Capabilities;
use agent_plan::source_state::{Problem, Severity};
use federation_model::{Namespace, ServiceId};
use tokio::sync::{mpsc, watch};

use super::feeds::FeedSenders;
use super::index::{Index, Touched};
use super::kind::{ByKind, Kind};
use super::message::{Message, Off, Why};
use super::metrics::Metrics;
use super::problems;
use super::snapshot::Snapshot;
use super::status::{Progress, SourceStatus, WatchState};
use super::watch::Route;
use crate::connect::Trouble;

/// How long an API server may fail at the start before the snapshot counts.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many times as long it may merely be slow: the snapshot is older than what it is about to say.
const SLOW: u32 = 6;
/// Messages that go into one publication at most, so that a flood is published meanwhile.
const FOLD: usize = 4096;

/// The one place where anything is published.
#[derive(Debug)]
pub(super) struct Publisher {
    index: Index,
    /// Until the API server has said everything.
    earlier: Option<Snapshot>,
    board: ByKind<Progress>,
    served: Capabilities,
    discovery: Option<Trouble>,
    loaded: Loaded,
    problems: Vec<Problem>,
    feeds: FeedSenders,
    status: SourceStatus,
    metrics: Metrics,
}

/// Whether what is published counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loaded {
    /// Nothing is known yet.
    No,
    /// The snapshot counts, and whatever was listed since.
    FromSnapshot,
    /// Every kind that exports need was listed, or is known to be out of reach.
    Live,
}

impl Publisher {
    pub(super) fn new(
        gateway_service: Option<ServiceId>,
        earlier: Option<Snapshot>,
        feeds: FeedSenders,
        status: SourceStatus,
        metrics: Metrics,
    ) -> Self {
        Self {
            index: Index::new(gateway_service, earlier.as_ref().map(|snapshot| &snapshot.objects)),
            earlier,
            board: ByKind::default(),
            served: Capabilities::default(),
            discovery: None,
            loaded: Loaded::No,
            problems: Vec::new(),
            feeds,
            status,
            metrics,
        }
    }

    /// Runs until every watch is gone. `nodes` is told whether nodes must be watched; `live` is given every state that
    /// is worth a snapshot.
    pub(super) async fn run(
        mut self,
        mut messages: mpsc::Receiver<Message>,
        nodes: watch::Sender<Route>,
        live: watch::Sender<Option<Arc<SourceState>>>,
    ) {
        for kind in Kind::ALL {
            self.metrics.state(kind, WatchState::Waiting);
        }
        let mut patience = tokio::time::interval(PATIENCE);
        patience.tick().await;
        let mut ticks = 0;
        let mut batch = Vec::new();
        loop {
            let waiting = self.loaded == Loaded::No && self.earlier.is_some();
            tokio::select! {
                count = messages.recv_many(&mut batch, FOLD) => if count == 0 { return },
                _ = patience.tick(), if waiting => {
                    ticks += 1;
                    if !self.fails() && ticks < SLOW {
                        continue;
                    }
                    self.loaded = Loaded::FromSnapshot;
                }
            }
            let mut received = Vec::new();
            let mut touched = Touched { local: batch.is_empty(), ..Touched::default() };
            for message in batch.drain(..) {
                if let Message::Changed { at, .. } = &message {
                    received.push(*at);
                }
                touched = touched.and(self.take(message));
            }
            self.publish(touched, &nodes, &live);
            for at in received {
                self.metrics.published(at.elapsed());
            }
        }
    }

    fn take(&mut self, message: Message) -> Touched {
        let state = Touched { problems: true, ..Touched::default() };
        match message {
            Message::Changed { update, version, at } => {
                let kind = update.kind();
                self.metrics.event(kind);
                let progress = self.board.get_mut(kind);
                progress.synced = true;
                progress.version = Some(version);
                progress.heard = Some(at);
                self.index.apply(*update)
            }
            Message::Seen(kind, version) => {
                let progress = self.board.get_mut(kind);
                progress.version = Some(version);
                progress.heard = Some(Instant::now());
                Touched::default()
            }
            Message::Lists(kind, why) => {
                if why == Why::Gone {
                    self.metrics.relist(kind);
                    tracing::info!(kind = kind.word(), "listing again: the version that we had is too old");
                }
                self.turn(kind, WatchState::Listing, None);
                Touched::default()
            }
            Message::Watches(kind) => {
                self.turn(kind, WatchState::Watching, None);
                state
            }
            Message::Failed(kind, trouble) => {
                self.metrics.error(kind, &trouble);
                let snapshot = trouble.is_refused() && self.loaded == Loaded::No && self.earlier.is_some();
                if snapshot {
                    self.loaded = Loaded::FromSnapshot;
                }
                let denied = matches!(trouble, Trouble::Forbidden { .. });
                let state = if denied { WatchState::Denied } else { WatchState::Failing };
                let first = self.board.get(kind).state != state;
                self.turn(kind, state, Some(trouble));
                // Which namespaces count may depend on whether they may be read.
                let namespaces = first && kind == Kind::Namespaces;
                Touched {
                    problems: true,
                    local: snapshot || namespaces,
                    observed: namespaces,
                    gateways: false,
                }
            }
            Message::Off(kind, off) => {
                self.board.get_mut(kind).off(off);
                self.metrics.state(kind, self.board.get(kind).state);
                if off == Off::NotServed {
                    tracing::warn!(kind = kind.word(), "not served by this API server");
                }
                self.index.forget(kind).and(state)
            }
            Message::Capabilities(served) => {
                self.served = served;
                self.discovery = None;
                state
            }
            Message::DiscoveryFailed(trouble) => {
                self.discovery = Some(trouble);
                state
            }
        }
    }

    fn turn(&mut self, kind: Kind, state: WatchState, trouble: Option<Trouble>) {
        let progress = self.board.get_mut(kind);
        // A list that begins does not yet mean that what went wrong is over.
        if state != WatchState::Listing {
            progress.trouble = trouble;
        }
        if progress.state != state {
            progress.state = state;
            self.metrics.state(kind, state);
        }
    }

    fn publish(
        &mut self,
        touched: Touched,
        nodes: &watch::Sender<Route>,
        live: &watch::Sender<Option<Arc<SourceState>>>,
    ) {
        for kind in Kind::ALL {
            let objects = self.index.count(kind);
            self.board.get_mut(kind).objects = objects;
            self.metrics.objects(kind, objects);
        }
        self.status.set(&self.board);
        // Gateways first: whoever learns that everything was seen must not take them for gone.
        if touched.gateways {
            self.feeds.gateways.send_replace(Arc::new(self.index.gateways.current()));
            let wanted = if self.index.gateways.wants_nodes() {
                Route::At(Kind::Nodes.path("v1").into())
            } else {
                Route::Off(Off::NotWanted)
            };
            nodes.send_if_modified(|route| {
                let changed = *route != wanted;
                if changed {
                    *route = wanted;
                }
                changed
            });
        }
        let now_live = self.loaded != Loaded::Live && self.all_settled();
        if now_live {
            self.loaded = Loaded::Live;
        }
        if self.loaded == Loaded::Live && self.all_listed() {
            self.earlier = None;
        }
        let problems_changed =
            (touched.problems || touched.gateways || now_live || touched.local) && self.renew_problems();
        if touched.local || now_live || problems_changed {
            let state = Arc::new(self.state());
            if self.loaded == Loaded::Live {
                live.send_replace(Some(Arc::clone(&state)));
            }
            self.feeds.state.send_replace(state);
        }
        let capabilities = self.capabilities();
        let complete = self.complete();
        let observed = self.index.observed.set_capabilities(capabilities)
            | self.index.observed.set_complete(complete)
            | touched.observed;
        if observed {
            let mut view = self.index.view().clone();
            if self.namespaces_unknown() {
                view.namespaces = self.inhabited();
            }
            self.feeds.observed.send_replace(Arc::new(view));
        }
    }

    fn state(&self) -> SourceState {
        let mut objects = match self.loaded {
            Loaded::No => agent_plan::LocalObjects::default(),
            Loaded::FromSnapshot | Loaded::Live => self.index.local.objects().clone(),
        };
        if self.loaded != Loaded::No && self.namespaces_unknown() && objects.namespaces.is_empty() {
            objects.namespaces = self.inhabited();
        }
        SourceState { objects, problems: self.problems.clone(), loaded: self.loaded != Loaded::No }
    }

    /// Says whether they changed, and tells the log of new ones.
    fn renew_problems(&mut self) -> bool {
        let stale = match (self.loaded, &self.earlier) {
            (Loaded::FromSnapshot | Loaded::Live, Some(snapshot)) => Some(format!(
                "not everything could be listed since this agent started: for the rest a snapshot counts that was {} s \
                 old then",
                snapshot.age_at_start.as_secs()
            )),
            _ => None,
        };
        let mut problems = problems::of_watches(&self.board, self.discovery.as_ref(), stale);
        problems.extend(self.index.problems.told());
        if problems == self.problems {
            return false;
        }
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            match problem.severity {
                Severity::Error => tracing::error!(%problem, "problem with the API server"),
                Severity::Warning => tracing::warn!(%problem, "problem with the API server"),
            }
        }
        self.problems = problems;
        true
    }

    /// Whether nothing of an earlier run counts any more.
    fn all_listed(&self) -> bool {
        let mut local = self.board.iter().filter(|(kind, _)| kind.is_local());
        local.all(|(_, progress)| progress.synced || progress.state == WatchState::NotServed)
    }

    /// Whether anything that exports need fails now.
    fn fails(&self) -> bool {
        let mut local = self.board.iter().filter(|(kind, _)| kind.is_local());
        self.discovery.is_some() || local.any(|(_, progress)| progress.trouble.is_some())
    }

    fn all_settled(&self) -> bool {
        self.board.iter().filter(|(kind, _)| kind.is_local()).all(|(_, progress)| progress.settled())
    }

    /// Whether absence proves anything: every kind that is served and allowed was listed.
    fn complete(&self) -> bool {
        let needed = |kind: Kind| matches!(kind, Kind::Services | Kind::EndpointSlices);
        let mut watched = self.board.iter().filter(|(kind, _)| *kind != Kind::Nodes);
        watched.all(|(kind, progress)| progress.synced || (progress.settled() && !needed(kind)))
    }

    /// What is served, less what we may not even read.
    fn capabilities(&self) -> Capabilities {
        let known = |kind| self.board.get(kind).state != WatchState::Denied || self.board.get(kind).synced;
        let served = &self.served;
        Capabilities {
            exports: served.exports.filter(|_| known(Kind::ServiceExports)),
            imports: served.imports.filter(|_| known(Kind::ServiceImports)),
            import_slices_field: served.import_slices_field,
            import_lacks: served.import_lacks.clone(),
            properties: served.properties && known(Kind::ClusterProperties),
        }
    }

    /// Whether we may not read namespaces and never could: then one counts as there if anything is in it.
    fn namespaces_unknown(&self) -> bool {
        let progress = self.board.get(Kind::Namespaces);
        progress.state == WatchState::Denied && !progress.synced
    }

    fn inhabited(&self) -> BTreeSet<Namespace> {
        let imported = self.index.view().imports.keys().map(|id| &id.namespace);
        self.index.local.inhabited().chain(imported).cloned().collect()
    }
}
