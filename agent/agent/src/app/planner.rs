//! Makes the plan anew at every change of the cluster's objects or of the federation's view, and hands it out.
//!
//! Changes that arrive while a plan is made are in the next one; nothing waits for a timer. What other clusters are told
//! goes out before the local plan is made: theirs is the longer way.

mod cluster_side;

use std::sync::Arc;
use std::time::Instant;

use agent_plan::derive::Deriver;
use agent_plan::{Desired, LocalView, PlanConfig};
use federation_client::publish;
use federation_kit::drain::DrainWatcher;
use federation_kit::readiness::Block;
use federation_model::{FederationView, Gateway, InstanceId, Revision};
use tokio::sync::watch;
use tokio::task::yield_now;

pub(super) use cluster_side::{ClusterSide, Told};

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
    pub(super) plan: Arc<PlanConfig>,
    /// Remembers the plan of each service, so that only what changed is planned anew.
    pub(super) plans: agent_plan::Planner,
    pub(super) source: watch::Receiver<Arc<SourceState>>,
    pub(super) view: watch::Receiver<Arc<FederationView>>,
    /// What this cluster offers, and who remembers how that came about.
    pub(super) offers: Offering,
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
    /// What only a cluster of Kubernetes has.
    pub(super) cluster: Option<ClusterSide>,
}

/// What this cluster offers by its objects, made anew only when they changed.
#[derive(Debug)]
pub(super) struct Offering {
    deriver: Deriver,
    made_of: Option<Arc<SourceState>>,
    local: Arc<LocalView>,
}

impl Offering {
    pub(super) fn new(deriver: Deriver) -> Self {
        Self { deriver, made_of: None, local: Arc::default() }
    }

    /// The same pointer as before where nothing changed.
    pub(super) fn of(&mut self, source: &Arc<SourceState>) -> Arc<LocalView> {
        if !self.made_of.as_ref().is_some_and(|made_of| Arc::ptr_eq(made_of, source)) {
            let local = self.deriver.derive(&source.objects);
            if local != *self.local {
                self.local = Arc::new(local);
            }
            self.made_of = Some(Arc::clone(source));
        }
        Arc::clone(&self.local)
    }
}

/// What the plan in force was made from.
type MadeOf = (Arc<FederationView>, Arc<LocalView>);

impl Planner {
    /// Runs until the drain. Without any view ever, the first plan waits for one: DNS would deny names that exist, and
    /// proxies would be told to forget what they serve. `ready` is dropped once a plan is in force.
    pub(super) async fn run(mut self, ready: Block, drain: DrainWatcher) {
        let mut ready = Some(ready);
        let mut made_of: Option<MadeOf> = None;
        loop {
            let begun = Instant::now();
            let source = Arc::clone(&self.source.borrow_and_update());
            // Before the view is read, so that it is said of this one or an earlier one.
            let confirmed = self.cluster.as_mut().is_some_and(ClusterSide::confirmed);
            let view = Arc::clone(&self.view.borrow_and_update());
            let local = self.offers.of(&source);
            if self.publish(&view, &local) {
                // Whoever sends it was woken on this thread, and no other takes it from here.
                yield_now().await;
            }
            self.metrics.source(&source);
            if view.revision != Revision(0) && !same(made_of.as_ref(), &view, &local) {
                if let Some(cluster) = &mut self.cluster {
                    cluster.adopt_ports(&drain).await;
                }
                self.make(&view, &local, begun);
                made_of = Some((Arc::clone(&view), Arc::clone(&local)));
                ready.take();
                // The same of whoever tells the proxies.
                yield_now().await;
            }
            if let Some(cluster) = &mut self.cluster {
                cluster.tell_controller(&self.plan, &view, &local, confirmed);
            }
            tokio::select! {
                Ok(()) = self.source.changed() => {}
                Ok(()) = self.view.changed() => {}
                Ok(()) = cluster_side::changed(self.cluster.as_mut()) => {}
                () = drain.wait() => return,
            }
        }
    }

    /// Tells the federation, if what it should be told changed, and gives back whether it did.
    fn publish(&mut self, view: &FederationView, local: &Arc<LocalView>) -> bool {
        let gateways = gateways(&self.config, self.cluster.as_mut(), view);
        let bundle = self.plan.bundle.clone();
        let published = published::desired(&self.config, &self.instance, bundle, gateways, local);
        let told = self.published.send_if_modified(|last| {
            let changed = **last != published;
            if changed {
                *last = Arc::new(published);
            }
            changed
        });
        self.local.send_if_modified(|last| {
            let changed = !Arc::ptr_eq(last, local);
            *last = Arc::clone(local);
            changed
        });
        told
    }

    /// One plan, put in force.
    fn make(&mut self, view: &FederationView, local: &LocalView, begun: Instant) {
        let mut desired = self.plans.plan(view, local, &self.plan);
        if let Some(cluster) = &mut self.cluster {
            let ports = cluster.assign_ports(desired.gateway.egress.keys());
            // Seldom: at the start, and where a port is imported for the first time, or no more.
            if !self.plan.listen_ports.as_ref().is_some_and(|planned| Arc::ptr_eq(planned, &ports)) {
                Arc::make_mut(&mut self.plan).listen_ports = Some(ports);
                desired = self.plans.plan(view, local, &self.plan);
            }
        }
        let Desired { dns, gateway } = desired;
        let names = dns.services.len();
        self.data_plane.set(gateway);
        self.dns.set(dns);
        self.applied.send_replace(view.revision);
        self.metrics.planned(local, names, view.revision, begun.elapsed());
    }
}

/// This cluster's gateways as others dial them: those of the configuration, else those that the API server shows. As
/// long as it has shown none since the start, those that the federation was told in an earlier life count: to be silent
/// about them would cut this cluster off whenever its agent restarts.
pub(super) fn gateways(
    config: &Config,
    cluster: Option<&mut ClusterSide>,
    view: &FederationView,
) -> Vec<Gateway> {
    match cluster {
        Some(cluster) if config.gateways.is_empty() => cluster.external_gateways().unwrap_or_else(|| {
            view.clusters.get(&config.cluster).map(|own| own.gateways.clone()).unwrap_or_default()
        }),
        _ => config.gateways.clone(),
    }
}

fn same(made_of: Option<&MadeOf>, view: &Arc<FederationView>, local: &Arc<LocalView>) -> bool {
    made_of.is_some_and(|(old_view, old_local)| Arc::ptr_eq(old_view, view) && Arc::ptr_eq(old_local, local))
}

#[cfg(test)]
mod tests;
