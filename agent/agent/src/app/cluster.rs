//! What runs besides, where the agent's cluster is one of Kubernetes: the MCS controller, the listener for gateways in
//! pods, and what is kept in the API server for the next pod.

use std::sync::Arc;

use agent_kubernetes::apply::Controller;
use agent_kubernetes::tokens::TokenReviewer;
use agent_plan::PlanConfig;
use agent_plan::egress_ports::{EgressPorts, Saved};
use agent_plan::mcs::input::Offer;
use agent_plan::mcs::{CatalogueBuilder, Input};
use federation_kit::daemon::Process;
use federation_kit::exit::{Exit, Failure, OrExit, chain};
use federation_model::FederationView;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::api_server::ApiServer;
use super::offers::Offers;
use super::planner::{ClusterSide, Told};
use super::reviewer::ApiServerReviewer;
use super::source::ClusterSaid;
use crate::config::{Config, ControlConfig, KubernetesConfig};
use crate::control::{IssueIdentity, TlsListener};
use crate::local::cluster_metrics::ClusterMetrics;
use crate::local::cluster_status::ClusterStatus;
use crate::local::mirror::Mirror;
use crate::local::own_identity::OwnIdentity;
use crate::local::papers::Kept;
use crate::local::{DataDir, egress_ports};
use crate::upstream::joining;

/// Everything, not running yet.
#[derive(Debug)]
pub(super) struct Cluster {
    api: ApiServer,
    data: Arc<DataDir>,
    mirror: Mirror,
    own: Option<OwnIdentity>,
    ca: Option<(String, String)>,
    controller: Option<Controller>,
    side: ClusterSide,
    ports: watch::Receiver<Option<Saved>>,
    offers: watch::Sender<Offers>,
    confirmed: watch::Sender<bool>,
    status: ClusterStatus,
}

/// What the rest of the agent needs of it once it runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) side: ClusterSide,
    pub(super) told: Heard,
}

/// What a cluster of Kubernetes wants to be told of the federation besides views.
#[derive(Debug)]
pub(super) struct Heard {
    /// How far each offer is.
    pub(super) offers: watch::Sender<Offers>,
    /// That a server has vouched for the view that was handed on last.
    pub(super) confirmed: watch::Sender<bool>,
}

/// What it is made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) config: &'a Config,
    pub(super) kubernetes: &'a KubernetesConfig,
    pub(super) api: ApiServer,
    pub(super) kept: Kept,
    pub(super) data: &'a Arc<DataDir>,
    pub(super) said: ClusterSaid,
    pub(super) plan: &'a PlanConfig,
    pub(super) view: &'a FederationView,
}

impl Cluster {
    pub(super) fn new(parts: Parts<'_>, registry: &mut Registry) -> Self {
        let Parts { config, kubernetes, api, kept, data, said, plan, view } = parts;
        let mirror = Mirror::new(Arc::clone(data), api.papers(), kept, registry);
        let loaded = egress_ports::load(data, kubernetes.egress_ports);
        let ports_known = loaded.is_some();
        let ports = loaded.unwrap_or_else(|| EgressPorts::new(kubernetes.egress_ports));
        let (input, input_seen) = watch::channel(Arc::new(nothing_known(config, plan)));
        let (ports_out, ports_seen) = watch::channel(None);
        let (problem, problem_seen) = watch::channel(None);
        let (confirmed, confirmed_seen) = watch::channel(false);
        let (offers, offers_seen) = watch::channel(offered_before(config, view));
        let controller = kubernetes
            .write
            .then(|| Controller::new(api.client(), said.observed.clone(), input_seen, registry));
        let status = ClusterStatus {
            watches: said.status,
            controller: controller.as_ref().map(Controller::status),
            gateways: said.gateways.clone(),
            ports_problem: problem_seen,
            papers_problem: mirror.problem(),
        };
        let side = ClusterSide {
            clusterset: config.clusterset.clone(),
            families: config.families.clone(),
            gateways: said.gateways,
            observed: said.observed,
            offers: offers_seen,
            confirmed: confirmed_seen,
            saved: ports_known.then(|| ports.ports()),
            ports,
            ports_known,
            gateways_known: false,
            complete: false,
            catalogues: CatalogueBuilder::default(),
            told: Told { input, ports: ports_out, problem },
            metrics: ClusterMetrics::register(registry),
        };
        let data = Arc::clone(data);
        Self {
            api,
            data,
            mirror,
            own: None,
            ca: None,
            controller,
            side,
            ports: ports_seen,
            offers,
            confirmed,
            status,
        }
    }

    /// What the listener for gateways in pods needs, with a first certificate of our own.
    ///
    /// # Errors
    /// If the cluster's authority cannot sign.
    pub(super) fn listener(
        &mut self,
        control: &ControlConfig,
        issuer: Arc<dyn IssueIdentity>,
        ca_pem: String,
    ) -> Result<TlsListener, Failure> {
        let own = OwnIdentity::issue(issuer).or_exit(Exit::Io)?;
        let listener = TlsListener {
            listen: control.listen,
            identity: own.shared(),
            reviewer: Arc::new(ApiServerReviewer(TokenReviewer::new(self.api.client()))),
            accounts: control.accounts.clone(),
        };
        self.own = Some(own);
        self.ca = Some((control.ca_config_map.clone(), ca_pem));
        Ok(listener)
    }

    pub(super) fn status(&self) -> ClusterStatus {
        self.status.clone()
    }

    /// Starts every task. An agent that has yet to join first sees to it that its key is kept, if that can be done: a
    /// token that was used by a key which is lost is of no use any more.
    ///
    /// # Errors
    /// When the data directory cannot be used.
    pub(super) async fn start(self, config: &Config, process: &Process) -> Result<Running, Failure> {
        let Self { api, data, mut mirror, own, ca, controller, side, ports, offers, confirmed, .. } = self;
        let (tasks, drain) = (&process.tasks, &process.drain);
        if let Some((name, pem)) = ca {
            tasks.spawn("ca for gateways", api.publish_ca(name, pem, drain.clone()));
        }
        if joining::prepare(&data, config)?
            && let Err(error) = mirror.once().await
        {
            tracing::warn!(error = %chain(&error), "joining although the key that joins is not kept");
        }
        tasks.spawn_fallible("papers outside", mirror.run(drain.clone()));
        if let Some(own) = own {
            tasks.spawn("own certificate", own.run(drain.clone()));
        }
        if let Some(controller) = controller {
            tasks.spawn("mcs controller", controller.run(drain.clone()));
        }
        tasks.spawn("ports of gateways", egress_ports::keep(data, ports, drain.clone()));
        Ok(Running { side, told: Heard { offers, confirmed } })
    }
}

/// Before the first plan: nothing is desired, and nothing deleted.
fn nothing_known(config: &Config, plan: &PlanConfig) -> Input {
    Input {
        plan: Arc::new(plan.clone()),
        clusterset: config.clusterset.clone(),
        families: config.families.clone(),
        catalogue: Arc::default(),
        offers: Arc::default(),
        gateways: Default::default(),
        listen_ports: Arc::default(),
    }
}

/// What the federation knew of in an earlier life is committed, until it says otherwise.
fn offered_before(config: &Config, view: &FederationView) -> Offers {
    let ours = view.exports.iter().filter(|(_, exporters)| exporters.contains_key(&config.cluster));
    Arc::new(ours.map(|(id, _)| (id.clone(), Offer::Committed)).collect())
}
