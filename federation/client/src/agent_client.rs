//! The agent's side of the federation: three streams, the renewal of the identity and the last known good view, each in
//! a task of its own.

use std::sync::{Arc, Mutex, PoisonError};

use federation_kit::drain::DrainWatcher;
use federation_model::{FederationView, Revision, TrustDomain};
use federation_trust::{SharedBundles, SharedIdentity};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::dial::{Channels, Dialer, mutual};
use crate::error::ClientError;
use crate::last_known_good::Store;
use crate::publish::{Desired, PublishStatus, Publisher};
use crate::renew::{Renewal, Renewed};
use crate::report::{LeaseStatus, Reporter};
use crate::servers::Servers;
use crate::timing::Timing;
use crate::watch::{Upstream, Watcher};

/// What an agent client is made of.
#[derive(Debug)]
pub struct AgentConfig {
    /// Where the servers are.
    pub servers: Servers,
    /// Who we are; replaced by renewals.
    pub identity: SharedIdentity,
    /// The bundle of the clusterset; replaced by renewals.
    pub bundles: SharedBundles,
    /// The clusterset's domain.
    pub clusterset: TrustDomain,
    /// Where the last known good view is kept; none: nowhere.
    pub store: Option<Store>,
    /// The view to begin with: the last known good one, or an empty one.
    pub view: FederationView,
    /// Our version, for the servers' status pages.
    pub version: String,
    /// Limits.
    pub timing: Timing,
}

/// What the rest of the agent sees of it. Receivers keep their last value after the client has ended.
#[derive(Debug, Clone)]
pub struct AgentHandle {
    /// What this cluster may see; replaced whole, only when something in it changed.
    pub view: watch::Receiver<Arc<FederationView>>,
    /// How the watch is doing.
    pub upstream: watch::Receiver<Upstream>,
    /// What became of each published item.
    pub publish: watch::Receiver<PublishStatus>,
    /// Our proof of life.
    pub lease: watch::Receiver<LeaseStatus>,
    /// The last renewal, to be written to disk.
    pub renewed: watch::Receiver<Option<Arc<Renewed>>>,
}

/// Talks to the federation until it is drained.
#[derive(Debug)]
pub struct AgentClient {
    publisher: Publisher,
    watcher: Watcher,
    reporter: Reporter,
    renewal: Renewal,
    saver: Option<Saver>,
}

/// A task of the client panicked.
#[derive(Debug, thiserror::Error)]
#[error("a task of the federation client failed")]
pub struct TaskPanicked(#[source] tokio::task::JoinError);

impl AgentClient {
    /// Puts a client together. Nothing is dialled before [`AgentClient::run`].
    ///
    /// `desired` is all that should be published; `applied` is the revision of the view that was last applied.
    pub fn new(
        config: AgentConfig,
        desired: watch::Receiver<Arc<Desired>>,
        applied: watch::Receiver<Revision>,
    ) -> Result<(Self, AgentHandle), ClientError> {
        let tls = mutual(config.identity.clone(), config.bundles.clone(), &config.clusterset)?;
        Ok(Self::over(Channels::tls(tls), config, desired, applied))
    }

    /// The same over `channels` instead of mTLS over TCP.
    pub fn over(
        channels: Channels,
        config: AgentConfig,
        desired: watch::Receiver<Arc<Desired>>,
        applied: watch::Receiver<Revision>,
    ) -> (Self, AgentHandle) {
        let AgentConfig { servers, identity, bundles, clusterset, store, view, version, timing } = config;
        let dialer = Dialer { servers, channels, timing };
        let first = Upstream { revision: view.revision, ..Upstream::default() };
        let (view, view_seen) = watch::channel(Arc::new(view));
        let (upstream, upstream_seen) = watch::channel(first);
        let (publish, publish_seen) = watch::channel(PublishStatus::default());
        let (lease, lease_seen) = watch::channel(LeaseStatus::default());
        let (renewed, renewed_seen) = watch::channel(None);
        let client = Self {
            publisher: Publisher {
                dialer: dialer.clone(),
                desired: desired.clone(),
                view: view_seen.clone(),
                version: version.clone(),
                status: publish,
            },
            reporter: Reporter {
                dialer: dialer.clone(),
                desired,
                view: view_seen.clone(),
                upstream: upstream_seen.clone(),
                applied,
                version,
                status: lease,
            },
            saver: store.map(|store| Saver {
                store,
                view: view_seen.clone(),
                timing,
                writing: Arc::default(),
            }),
            watcher: Watcher { dialer: dialer.clone(), view, upstream },
            renewal: Renewal { dialer, identity, bundles, clusterset, renewed },
        };
        let handle = AgentHandle {
            view: view_seen,
            upstream: upstream_seen,
            publish: publish_seen,
            lease: lease_seen,
            renewed: renewed_seen,
        };
        (client, handle)
    }

    /// Runs until `drain` begins, then saves the last view and ends.
    ///
    /// # Errors
    /// If a task panicked: the client is of no use any more, and the process should end.
    pub async fn run(self, drain: DrainWatcher) -> Result<(), TaskPanicked> {
        // Dropping the set on any way out ends every task.
        let mut tasks = JoinSet::new();
        tasks.spawn(self.publisher.run());
        tasks.spawn(self.watcher.run());
        tasks.spawn(self.reporter.run());
        tasks.spawn(self.renewal.run());
        let saver = self.saver.clone();
        if let Some(saver) = self.saver {
            tasks.spawn(saver.run());
        }
        loop {
            tokio::select! {
                () = drain.wait() => break,
                ended = tasks.join_next() => match ended {
                    Some(Err(error)) => return Err(TaskPanicked(error)),
                    Some(Ok(())) => {}
                    None => break,
                },
            }
        }
        tasks.shutdown().await;
        if let Some(saver) = saver {
            saver.save().await;
        }
        Ok(())
    }
}

/// Writes views to disk as they come, at most one per `save_every`.
#[derive(Debug, Clone)]
struct Saver {
    store: Store,
    view: watch::Receiver<Arc<FederationView>>,
    timing: Timing,
    /// Held while a view is read and written, so that an older one is never renamed over a newer one.
    writing: Arc<Mutex<()>>,
}

impl Saver {
    async fn run(mut self) {
        while self.view.changed().await.is_ok() {
            let begun = Instant::now();
            self.save().await;
            sleep_until(begun + self.timing.save_every).await;
        }
    }

    /// A view that cannot be saved is a warning: the data plane has it, and the next one may fit.
    async fn save(&self) {
        let this = self.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let _writing = this.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let view = Arc::clone(&this.view.borrow());
            // An empty view at revision zero is the absence of one: it must not replace a file.
            if view.revision == Revision(0) { Ok(()) } else { this.store.save(&view) }
        })
        .await;
        match saved {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "last known good view not saved");
            }
            Err(error) => tracing::warn!(%error, "last known good view not saved"),
        }
    }
}
