//! Makes the plan anew at every change of the cluster's objects or of the federation's view, and hands it out.
//!
//! Changes that arrive while a plan is made are in the next one; nothing waits for a timer.

use std::sync::Arc;
use std::time::Instant;

use agent_plan::{ClusterFacts, LocalView, PlanConfig, derive, plan};
use federation_client::publish;
use federation_kit::drain::DrainWatcher;
use federation_kit::readiness::Block;
use federation_model::{FederationView, InstanceId, Revision};
use tokio::sync::watch;

use crate::config::Config;
use crate::control::ConfigSender;
use crate::dns::SharedTable;
use crate::local::metrics::Metrics;
use crate::source::SourceState;
use crate::upstream::published;

/// What comes in, and where the results go.
#[derive(Debug)]
pub(super) struct Planner {
    pub(super) config: Arc<Config>,
    pub(super) instance: InstanceId,
    pub(super) plan: PlanConfig,
    pub(super) source: watch::Receiver<Arc<SourceState>>,
    pub(super) view: watch::Receiver<Arc<FederationView>>,
    /// To the federation.
    pub(super) published: watch::Sender<Arc<publish::Desired>>,
    /// To the status page.
    pub(super) local: watch::Sender<Arc<LocalView>>,
    /// To the DNS server.
    pub(super) dns: SharedTable,
    /// To the gateways and the Envoys.
    pub(super) data_plane: ConfigSender,
    /// To the federation, as proof of how far this agent is.
    pub(super) applied: watch::Sender<Revision>,
    pub(super) metrics: Metrics,
}

impl Planner {
    /// Runs until the drain. Without any view ever, the first plan waits for one: DNS would deny names that exist, and
    /// proxies would be told to forget what they serve. `ready` is dropped once a plan is in force.
    pub(super) async fn run(mut self, ready: Block, drain: DrainWatcher) {
        tokio::select! {
            // An error means that the client is gone, and with it the process.
            _ = self.view.wait_for(|view| view.revision != Revision(0)) => {}
            () = drain.wait() => return,
        }
        let mut ready = Some(ready);
        loop {
            self.once();
            ready.take();
            tokio::select! {
                Ok(()) = self.source.changed() => {}
                Ok(()) = self.view.changed() => {}
                () = drain.wait() => return,
            }
        }
    }

    /// One plan from what is there now.
    fn once(&mut self) {
        let begun = Instant::now();
        let source = Arc::clone(&self.source.borrow_and_update());
        let view = Arc::clone(&self.view.borrow_and_update());
        let local = Arc::new(offers(&self.config, &source));
        let desired = plan(&view, &local, &self.plan);
        self.dns.set(desired.dns.clone());
        self.data_plane.set(desired.gateway.clone());
        self.applied.send_replace(view.revision);
        let bundle = self.plan.bundle.clone();
        let published = Arc::new(published::desired(&self.config, &self.instance, bundle, &local));
        self.published.send_if_modified(|last| {
            let changed = **last != *published;
            if changed {
                *last = published;
            }
            changed
        });
        self.metrics.source(&source);
        self.metrics.planned(&local, &desired, view.revision, begun.elapsed());
        self.local.send_replace(local);
    }
}

/// What the cluster offers by its objects.
pub(super) fn offers(config: &Config, source: &SourceState) -> LocalView {
    let facts = ClusterFacts {
        cluster: config.cluster.clone(),
        trust_domain: config.trust_domain.clone(),
        zone: config.zone.clone(),
    };
    derive(&source.objects, &facts)
}
