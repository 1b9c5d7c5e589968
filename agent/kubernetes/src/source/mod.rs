//! The `kubernetes` source: watches the API server, and publishes what the `files` source would say of the same
//! objects, what the API server holds of what the controller writes, and where the gateways are.
//!
//! A change is published as soon as it is applied; changes that have arrived meanwhile go into the same publication;
//! nothing waits for a timer. Whatever fails, what was known stays known: only a whole list, a deletion that the API
//! server tells of, or a CRD that is gone, takes anything away.
//!
//! Reading order: [`kind`] → `wire` (what is kept of an object) → `watch` (how a kind is followed) → `discovery` (which
//! kinds there are) → `message` → `index` (what all of it amounts to) → `publisher` (when it is published) →
//! `snapshot` (what outlives the process) → [`status`].
//!
//! Tests: tables and laws beside `index` and `wire`; every way in which an API server misbehaves in `tests/source`.

mod discovery;
mod feeds;
mod index;
mod kind;
mod message;
mod metrics;
mod parse;
mod problems;
mod publisher;
mod snapshot;
mod status;
mod watch;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use federation_model::ServiceId;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, mpsc, watch as channel};
use tokio::task::JoinSet;

pub use feeds::{Feeds, LocalGateways};
pub use kind::Kind;
pub use status::{SourceStatus, WatchState, WatchStatus};

use self::discovery::Discovery;
use self::feeds::FeedSenders;
use self::message::{Message, Off};
use self::metrics::Metrics;
use self::publisher::Publisher;
use self::watch::{Route, Watcher};
use self::wire::{
    ExportItem, ImportItem, NamespaceItem, NodeItem, PropertyItem, ServiceItem, SliceItem, Wire,
};

/// Messages that may wait for the publisher. Watches wait when there are more, and with them the API server.
const QUEUE: usize = 1024;

/// What to watch besides what is always watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceOptions {
    /// The Service of this cluster's gateways.
    pub gateway_service: Option<ServiceId>,
    /// Where the snapshot is kept.
    pub snapshot: PathBuf,
}

/// Why a source could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The snapshot of an earlier run is there and cannot be read at all. One that is damaged is put aside instead.
    #[error("cannot read the snapshot of the cluster's objects")]
    Snapshot(#[source] federation_kit::files::FileError),
}

/// The source, not yet watching.
pub struct KubernetesSource {
    client: Client,
    options: SourceOptions,
    publisher: Publisher,
    status: SourceStatus,
}

impl std::fmt::Debug for KubernetesSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KubernetesSource").field("options", &self.options).finish_non_exhaustive()
    }
}

impl KubernetesSource {
    /// Reads the snapshot of an earlier run. The API server is not asked yet.
    ///
    /// # Errors
    /// When there is a snapshot that cannot be read.
    pub fn open(
        client: Client,
        options: SourceOptions,
        registry: &mut Registry,
    ) -> Result<(Self, Feeds), SourceError> {
        let earlier = match snapshot::read(&options.snapshot) {
            Ok(found) => found,
            Err(snapshot::SnapshotError::File(error)) => return Err(SourceError::Snapshot(error)),
            Err(damaged) => {
                let aside = options.snapshot.with_extension("damaged");
                tracing::error!(error = %chain(&damaged), aside = %aside.display(), "starting without a snapshot of objects");
                if let Err(error) = std::fs::rename(&options.snapshot, &aside) {
                    tracing::error!(%error, "cannot put the damaged snapshot aside");
                }
                None
            }
        };
        let (senders, feeds) = FeedSenders::new();
        let status = SourceStatus::default();
        let metrics = Metrics::register(registry);
        let publisher =
            Publisher::new(options.gateway_service.clone(), earlier, senders, status.clone(), metrics);
        Ok((Self { client, options, publisher, status }, feeds))
    }

    /// How the watches are doing, now and later.
    pub fn status(&self) -> SourceStatus {
        self.status.clone()
    }

    /// Watches and publishes until the drain.
    pub async fn run(self, drain: DrainWatcher) {
        let (out, messages) = mpsc::channel(QUEUE);
        let rediscover = Arc::new(Notify::new());
        let mut tasks = JoinSet::new();
        let start = Starter { client: self.client, out: out.clone(), rediscover: Arc::clone(&rediscover) };
        // Kinds of Kubernetes itself are always there.
        let fixed = |kind: Kind| channel::channel(Route::At(kind.path("v1").into()));
        let (namespaces, route) = fixed(Kind::Namespaces);
        start.watcher::<NamespaceItem>(&mut tasks, route);
        let (services, route) = fixed(Kind::Services);
        start.watcher::<ServiceItem>(&mut tasks, route);
        let (slices, route) = fixed(Kind::EndpointSlices);
        start.watcher::<SliceItem>(&mut tasks, route);
        let (exports, route) = channel::channel(Route::Unknown);
        start.watcher::<ExportItem>(&mut tasks, route);
        let (imports, route) = channel::channel(Route::Unknown);
        start.watcher::<ImportItem>(&mut tasks, route);
        let (properties, route) = channel::channel(Route::Unknown);
        start.watcher::<PropertyItem>(&mut tasks, route);
        let (nodes, route) = channel::channel(Route::Off(Off::NotWanted));
        start.watcher::<NodeItem>(&mut tasks, route);
        let discovery = Discovery::new(start.client, exports, imports, properties, out, rediscover);
        tasks.spawn(discovery.run());
        let (live, live_seen) = channel::channel(None);
        let keeping = snapshot::keep(self.options.snapshot, live_seen, drain.clone());
        let publishing = self.publisher.run(messages, nodes, live);
        tokio::pin!(publishing);
        tokio::pin!(keeping);
        tokio::select! {
            () = &mut publishing => {}
            // It ends only at the drain, after the last write.
            () = &mut keeping => {}
            Some(ended) = tasks.join_next() => {
                if let Err(failed) = ended && failed.is_panic() {
                    std::panic::resume_unwind(failed.into_panic());
                }
            }
        }
        drop((namespaces, services, slices));
        tasks.shutdown().await;
    }
}

/// What every watch needs.
struct Starter {
    client: Client,
    out: mpsc::Sender<Message>,
    rediscover: Arc<Notify>,
}

impl Starter {
    fn watcher<T: Wire>(&self, tasks: &mut JoinSet<()>, route: channel::Receiver<Route>) {
        let watcher =
            Watcher::<T>::new(self.client.clone(), route, self.out.clone(), Arc::clone(&self.rediscover));
        tasks.spawn(watcher.run());
    }
}
