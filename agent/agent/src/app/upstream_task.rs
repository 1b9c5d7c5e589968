//! The conversation with the federation: begun once this agent is a member, and kept.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use federation_client::last_known_good::Store;
use federation_client::{AgentClient, AgentConfig, AgentHandle, Desired, Renewed, Timing};
use federation_kit::backoff::Backoff;
use federation_kit::build_info;
use federation_kit::daemon::Process;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::{Exit, Failure, OrExit, chain};
use federation_model::{FederationView, Revision};
use federation_trust::{BundleSet, SharedBundles, SharedIdentity};
use tokio::sync::watch;

use super::cluster::Heard;
use super::offers;
use crate::config::Config;
use crate::local::DataDir;
use crate::local::metrics::Metrics;
use crate::upstream::{Membership, joining};

/// What it needs.
#[derive(Debug)]
pub(super) struct UpstreamTask {
    pub(super) config: Arc<Config>,
    pub(super) data: Arc<DataDir>,
    pub(super) store: Store,
    /// Where views go. Holds the last known good one.
    pub(super) view: watch::Sender<Arc<FederationView>>,
    pub(super) had_view: bool,
    pub(super) metrics: Metrics,
    /// Filled once the conversation has begun.
    pub(super) handle: Arc<OnceLock<AgentHandle>>,
    /// Told why this agent cannot join, while it waits for somebody to help.
    pub(super) joining: watch::Sender<Option<String>>,
    /// What is told besides, where somebody wants to know.
    pub(super) told: Option<Heard>,
}

impl UpstreamTask {
    /// Becomes a member and starts the client.
    ///
    /// # Errors
    /// When it cannot become a member and there is nothing to serve meanwhile, or a task of the process failed.
    pub(super) async fn start(
        self,
        published: watch::Receiver<Arc<Desired>>,
        applied: watch::Receiver<Revision>,
        process: &Process,
    ) -> Result<(), Failure> {
        let member = tokio::select! {
            member = self.member() => member?,
            failed = process.tasks.failed() => return Err(Failure::new(Exit::Internal, failed)),
        };
        // Those that the servers gave are newer; those of the file stand in if they are unusable.
        if let Err(error) = self.config.servers.set(member.servers.clone()) {
            tracing::warn!(%error, "the servers' own addresses cannot be used");
        }
        let client = AgentConfig {
            servers: self.config.servers.clone(),
            identity: SharedIdentity::new(member.identity.clone()),
            bundles: SharedBundles::new(BundleSet::from_bundles([&member.bundle]).0),
            clusterset: self.config.clusterset.clone(),
            store: Some(self.store),
            view: (**self.view.borrow()).clone(),
            version: build_info::version().to_owned(),
            timing: Timing::default(),
        };
        let (client, handle) = AgentClient::new(client, published, applied).or_exit(Exit::Internal)?;
        let drain = &process.drain;
        let (offers, confirmed) = self.told.map(|told| (told.offers, told.confirmed)).unzip();
        process.tasks.spawn("views", forward_views(handle.clone(), self.view, confirmed, drain.clone()));
        process.tasks.spawn("papers", keep_papers(handle.renewed.clone(), self.data, drain.clone()));
        if let Some(offers) = offers {
            process.tasks.spawn("offers", offers::forward(handle.publish.clone(), offers, drain.clone()));
        }
        process.tasks.spawn("upstream metrics", count(handle.clone(), self.metrics, drain.clone()));
        process.tasks.spawn_fallible("federation client", client.run(drain.clone()));
        // Set once: there is one client.
        let _ = self.handle.set(handle);
        Ok(())
    }

    /// With a view in force the agent goes on serving whatever happens here; without one there is nothing to serve. In a
    /// pod it waits for a better token all the same: the token is a Secret that somebody applies.
    async fn member(&self) -> Result<Membership, Failure> {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        loop {
            match joining::member(&self.data, &self.config).await {
                Ok(member) => return Ok(member),
                Err(error) if self.had_view => {
                    tracing::error!(error = %chain(&error), "not a member: serving the last known good view");
                    self.joining.send_replace(Some(chain(&error).to_string()));
                }
                Err(error) if self.config.kubernetes().is_some() && error.waits_for_token() => {
                    tracing::error!(error = %chain(&error), "not a member, will try again");
                    self.joining.send_replace(Some(chain(&error).to_string()));
                }
                Err(error) => return Err(error.into()),
            }
            backoff.wait().await;
        }
    }
}

/// Hands on every view, and after it that it is confirmed: the client says that a server was heard when the view is there.
async fn forward_views(
    mut from: AgentHandle,
    to: watch::Sender<Arc<FederationView>>,
    confirmed: Option<watch::Sender<bool>>,
    drain: DrainWatcher,
) {
    let mut heard = false;
    loop {
        tokio::select! {
            changed = from.view.changed() => if changed.is_err() { return },
            changed = from.upstream.changed(), if !heard => if changed.is_err() { return },
            () = drain.wait() => return,
        }
        heard |= from.upstream.borrow_and_update().heard.is_some();
        let view = Arc::clone(&from.view.borrow_and_update());
        to.send_if_modified(|last| {
            let news = !Arc::ptr_eq(last, &view);
            *last = view;
            news
        });
        if let Some(confirmed) = &confirmed {
            confirmed.send_if_modified(|last| !std::mem::replace(last, heard) && heard);
        }
    }
}

/// Writes every renewal to disk. One that cannot be written is told; the certificate in use is the new one all the
/// same, and the one on disk still holds for half of its life.
async fn keep_papers(
    mut renewed: watch::Receiver<Option<Arc<Renewed>>>,
    data: Arc<DataDir>,
    drain: DrainWatcher,
) {
    loop {
        tokio::select! {
            changed = renewed.changed() => if changed.is_err() { return },
            () = drain.wait() => return,
        }
        let Some(papers) = renewed.borrow_and_update().clone() else { continue };
        let data = Arc::clone(&data);
        let saved = tokio::task::spawn_blocking(move || Membership::from(&*papers).save(&data)).await;
        match saved {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error = %chain(&error), "renewed certificate not saved"),
            Err(error) => tracing::error!(%error, "renewed certificate not saved"),
        }
    }
}

async fn count(mut handle: AgentHandle, metrics: Metrics, drain: DrainWatcher) {
    loop {
        metrics.connected(handle.upstream.borrow_and_update().is_connected());
        tokio::select! {
            changed = handle.upstream.changed() => if changed.is_err() { return },
            () = drain.wait() => return,
        }
    }
}
