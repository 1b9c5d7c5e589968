//! A cluster's agent: the real client library, with a note of every view that it publishes.

use std::sync::Arc;

use anyhow::Context;
use federation_client::{AgentClient, AgentConfig, AgentHandle, Desired, PublishStatus};
use federation_kit::drain::{self, DrainTrigger};
use federation_model::{FederationView, Revision};
use multi_cluster_e2e_history::{Event, Viewer, WatcherName};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::member::{Member, TIMING};
use super::view_notes::Noted;
use crate::recorder::Recorder;

/// A running agent. Dropping it kills it without a word to anybody.
#[derive(Debug)]
pub struct Agent {
    /// Under which its views are noted.
    pub watcher: WatcherName,
    /// What became of each export.
    pub publish: watch::Receiver<PublishStatus>,
    /// What it sees.
    pub view: watch::Receiver<Arc<FederationView>>,
    tasks: [JoinHandle<()>; 2],
    _drain: DrainTrigger,
    _applied: watch::Sender<Revision>,
}

impl Agent {
    /// Starts the `number`th agent of a cluster, which knows nothing yet.
    ///
    /// # Errors
    /// If the client cannot be put together.
    pub fn start(
        member: &Member,
        number: u64,
        desired: watch::Receiver<Arc<Desired>>,
        recorder: &Recorder,
    ) -> anyhow::Result<Self> {
        let (applied, applied_seen) = watch::channel(Revision(0));
        let config = AgentConfig {
            servers: member.servers.dialled.clone(),
            identity: member.identity.clone(),
            bundles: member.bundles.clone(),
            clusterset: member.clusterset.clone(),
            store: None,
            view: FederationView::default(),
            version: "torture".to_owned(),
            timing: TIMING,
        };
        let (client, handle) =
            AgentClient::new(config, desired, applied_seen).context("no client of the federation")?;
        let (publish, view) = (handle.publish.clone(), handle.view.clone());
        let watcher = WatcherName(format!("{} (agent {number})", member.cluster));
        let (drain, drained) = drain::channel();
        let runs = tokio::spawn(async move {
            // It ends only with a panic of its tasks; then nothing is published any more, which every wait notices.
            let _ = client.run(drained).await;
        });
        let notes = tokio::spawn(note(member.clone(), watcher.clone(), handle, recorder.clone()));
        Ok(Self { watcher, publish, view, tasks: [runs, notes], _drain: drain, _applied: applied })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Notes each whole view. The client replaces the view before it says how far it is, so a view that is read after that
/// is complete at least so far.
async fn note(member: Member, watcher: WatcherName, mut handle: AgentHandle, recorder: Recorder) {
    let mut noted = Noted::default();
    let mut server = None;
    let mut last = Revision(0);
    while handle.upstream.changed().await.is_ok() {
        let upstream = handle.upstream.borrow_and_update().clone();
        let view = Arc::clone(&handle.view.borrow());
        let revision = upstream.revision.max(view.revision);
        let next = Noted::of(&view);
        let mut events = Vec::new();
        if upstream.server.is_some() && server != upstream.server {
            server = upstream.server;
            let server = member.servers.name_of(server.as_deref().unwrap_or_default());
            let viewer = Viewer::Cluster(member.cluster.clone());
            events.push(Event::Connected { watcher: watcher.clone(), viewer, server });
        }
        if server.is_some() && (revision != last || next != noted) {
            events.extend(noted.to(&next, &watcher, revision));
            (noted, last) = (next, revision);
        }
        recorder.watched(events);
    }
}
