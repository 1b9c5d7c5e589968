//! What the planner does for a cluster of Kubernetes only: the ports at which its gateways listen, the addresses at which
//! others dial them, and what the MCS controller is told.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use agent_kubernetes::source::LocalGateways;
use agent_plan::egress_ports::{self, EgressPorts, Saved};
use agent_plan::mcs::{CatalogueBuilder, Input, Observed};
use agent_plan::{LocalView, PlanConfig};
use federation_kit::drain::DrainWatcher;
use federation_model::data_plane::ServicePortId;
use federation_model::{FederationView, Gateway, IpFamily, TrustDomain};
use tokio::sync::watch;

use crate::app::offers::Offers;
use crate::local::cluster_metrics::ClusterMetrics;

/// How long the first plan waits for the derived slices, where there is no file of ports.
const OBSERVE: Duration = Duration::from_secs(5);

/// What comes in besides, and where it goes.
#[derive(Debug)]
pub(in crate::app) struct ClusterSide {
    pub(in crate::app) clusterset: TrustDomain,
    pub(in crate::app) families: Vec<IpFamily>,
    pub(in crate::app) gateways: watch::Receiver<Arc<LocalGateways>>,
    pub(in crate::app) observed: watch::Receiver<Arc<Observed>>,
    pub(in crate::app) offers: watch::Receiver<Offers>,
    /// Whether a server has vouched for a view since the start: for the one that was handed on before this, and later.
    pub(in crate::app) confirmed: watch::Receiver<bool>,
    pub(in crate::app) ports: EgressPorts,
    /// Whether `ports` are those of the last run or of the cluster's derived slices.
    pub(in crate::app) ports_known: bool,
    /// What the file says, or is about to.
    pub(in crate::app) saved: Option<Arc<BTreeMap<ServicePortId, NonZeroU16>>>,
    pub(in crate::app) gateways_known: bool,
    /// Whether everything in the API server was seen at least once.
    pub(in crate::app) complete: bool,
    pub(in crate::app) catalogues: CatalogueBuilder,
    pub(in crate::app) told: Told,
    pub(in crate::app) metrics: ClusterMetrics,
}

/// Where the results go.
#[derive(Debug)]
pub(in crate::app) struct Told {
    /// To the controller.
    pub(in crate::app) input: watch::Sender<Arc<Input>>,
    /// To the disk.
    pub(in crate::app) ports: watch::Sender<Option<Saved>>,
    /// To the status page: why some imported ports have none.
    pub(in crate::app) problem: watch::Sender<Option<String>>,
}

/// Waits for a change of what comes in; for ever where there is no such cluster.
pub(super) async fn changed(side: Option<&mut ClusterSide>) -> Result<(), watch::error::RecvError> {
    let Some(side) = side else { return std::future::pending().await };
    let waiting = !side.complete;
    tokio::select! {
        complete = side.observed.wait_for(|observed| observed.complete), if waiting => complete.map(drop),
        changed = side.gateways.changed() => changed,
        changed = side.offers.changed() => changed,
        Ok(()) = side.confirmed.changed() => Ok(()),
    }
}

impl ClusterSide {
    /// Before the first plan: takes over the ports that are in use, if no file says which they are.
    pub(super) async fn adopt_ports(&mut self, drain: &DrainWatcher) {
        if self.ports_known {
            return;
        }
        let complete = async {
            let observed = self.observed.wait_for(|observed| observed.complete).await;
            observed.map(|observed| Arc::clone(&observed)).ok()
        };
        let observed = tokio::select! {
            observed = tokio::time::timeout(OBSERVE, complete) => observed.ok().flatten(),
            () = drain.wait() => None,
        };
        match observed {
            Some(observed) => self.ports.adopt(egress_ports::in_use(&observed)),
            None => tracing::warn!(
                "the API server does not answer: gateways get the ports that their hashes give"
            ),
        }
        self.ports_known = true;
    }

    /// Whether every view that is read after this is one that a server has vouched for.
    pub(super) fn confirmed(&mut self) -> bool {
        *self.confirmed.borrow_and_update()
    }

    fn seen_everything(&mut self) -> bool {
        self.complete |= self.observed.borrow().complete;
        self.complete
    }

    /// Gives every wanted port, in ascending order, a place. The same pointer as long as nothing changes.
    pub(super) fn assign_ports<'a>(
        &mut self,
        wanted: impl Iterator<Item = &'a ServicePortId> + Clone,
    ) -> Arc<BTreeMap<ServicePortId, NonZeroU16>> {
        if !self.ports.is_for(wanted.clone()) {
            self.ports.assign(wanted.cloned());
        }
        let ports = self.ports.ports();
        let problem = self.ports.problem();
        self.metrics.ports(ports.len(), problem.as_ref().map_or(0, |problem| problem.missing));
        let problem = problem.map(|problem| problem.to_string());
        self.told.problem.send_if_modified(|last| {
            let news = *last != problem;
            if news {
                if let Some(problem) = &problem {
                    tracing::error!(problem, "not every imported port has a port of the gateways");
                }
                *last = problem;
            }
            news
        });
        // Also those that were taken over, and were in no file.
        if !self.saved.as_ref().is_some_and(|saved| Arc::ptr_eq(saved, &ports)) {
            self.told.ports.send_replace(Some(self.ports.save()));
            self.saved = Some(Arc::clone(&ports));
        }
        ports
    }

    /// The gateways as others dial them; none while the API server has not shown any since the start.
    pub(super) fn external_gateways(&mut self) -> Option<Vec<Gateway>> {
        let external = self.gateways.borrow().external.clone();
        self.gateways_known |= !external.is_empty();
        self.gateways_known.then_some(external)
    }

    /// Tells the controller, if something that it decides by changed. Not before everything in the API server was seen:
    /// until then that no gateway is ready means that none was seen yet, and pods would be cut off by it.
    pub(super) fn tell_controller(
        &mut self,
        plan: &Arc<PlanConfig>,
        view: &FederationView,
        local: &LocalView,
        confirmed: bool,
    ) {
        let complete = self.seen_everything();
        let gateways = Arc::clone(&self.gateways.borrow_and_update());
        self.metrics.gateways(gateways.ready.len(), gateways.external.len());
        let offers = Arc::clone(&self.offers.borrow_and_update());
        if !complete {
            return;
        }
        let catalogue = self.catalogues.build(&plan.cluster, view, local, confirmed);
        let listen_ports = self.ports.ports();
        self.told.input.send_if_modified(|last| {
            let same = Arc::ptr_eq(&last.plan, plan)
                && Arc::ptr_eq(&last.catalogue, &catalogue)
                && Arc::ptr_eq(&last.offers, &offers)
                && Arc::ptr_eq(&last.listen_ports, &listen_ports)
                && last.gateways == gateways.ready;
            if same {
                return false;
            }
            *last = Arc::new(Input {
                plan: Arc::clone(plan),
                clusterset: self.clusterset.clone(),
                families: self.families.clone(),
                catalogue,
                offers,
                gateways: gateways.ready.clone(),
                listen_ports,
            });
            true
        });
    }
}
