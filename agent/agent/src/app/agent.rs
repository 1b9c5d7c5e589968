//! An agent: its listeners, then its tasks.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent_plan::derive::Deriver;
use agent_plan::{ClusterFacts, LocalView, PlanConfig};
use federation_client::AgentHandle;
use federation_client::last_known_good::{LoadError, Store};
use federation_kit::admin::AdminServer;
use federation_kit::build_info;
use federation_kit::daemon::Process;
use federation_kit::exit::{Exit, Failure, OrExit, chain};
use federation_kit::grpc::LocalAddr;
use federation_kit::readiness::Block;
use federation_model::{FederationView, Revision};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::api_server::ApiServer;
use super::cluster::{Cluster, Parts, Running};
use super::planner::{Offering, Planner, gateways};
use super::source::Source;
use super::upstream_task::UpstreamTask;
use crate::config::Config;
use crate::control::{
    ConfigSender, IssueIdentity, LocalApi, LocalApiError, LocalAuthority, config as control_config,
};
use crate::dns::{DnsOptions, DnsServer, SharedTable};
use crate::local::metrics::Metrics;
use crate::local::papers::Kept;
use crate::local::status::StatusPage;
use crate::local::{DataDir, authority};
use crate::source::SourceState;
use crate::upstream::published;

/// Life of the certificates of gateways and workloads. They renew at half of it.
const LEAF_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// An agent that holds its sockets and its data directory, and does nothing yet.
#[derive(Debug)]
pub struct Agent {
    config: Arc<Config>,
    data: Arc<DataDir>,
    store: Store,
    plan: PlanConfig,
    metrics: Metrics,
    admin: AdminServer,
    dns: DnsServer,
    table: SharedTable,
    local_api: LocalApi,
    data_plane: ConfigSender,
    source: Source,
    source_seen: watch::Receiver<Arc<SourceState>>,
    cluster: Option<Cluster>,
    view: watch::Sender<Arc<FederationView>>,
    local: watch::Sender<Arc<LocalView>>,
    upstream: Arc<OnceLock<AgentHandle>>,
    joining: watch::Sender<Option<String>>,
    status: StatusPage,
    blocks: Blocks,
}

/// What keeps the agent from being ready.
#[derive(Debug)]
struct Blocks {
    source: Block,
    membership: Block,
    view: Block,
}

/// Where an agent listens, with the ports that the system chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Gateways and Envoys.
    pub local: LocalAddr,
    /// Gateways in pods, by TLS.
    pub control: Option<SocketAddr>,
    /// Names, by UDP and TCP.
    pub dns: SocketAddr,
    /// Operators.
    pub http: SocketAddr,
}

impl Agent {
    /// Takes the data directory and every listener.
    ///
    /// # Errors
    /// With the exit code that fits.
    pub async fn bind(config: Config, process: &Process) -> Result<Self, Failure> {
        let config = Arc::new(config);
        let api = match config.kubernetes() {
            Some(kubernetes) => Some(ApiServer::connect(kubernetes).await?),
            None => None,
        };
        let kept = match &api {
            Some(api) => api.kept(&config.data_dir).await,
            None => Kept::Known(None),
        };
        let (path, clusterset, cluster) = (&config.data_dir, &config.clusterset, &config.cluster);
        let data = Arc::new(DataDir::open_with(path, clusterset, cluster, kept.papers())?);
        let authority = Arc::new(authority::load_or_create(&data, &config.trust_domain, config.ca.as_ref())?);
        let store = Store::new(data.file("view.lkg"), config.clusterset.clone(), config.cluster.clone());
        let first_view = Arc::new(last_known_good(&store)?);
        let (view, view_seen) = watch::channel(Arc::clone(&first_view));

        let mut registry = Registry::default();
        build_info::register(&mut registry, "agent");
        let metrics = Metrics::register(&mut registry);
        let (data_plane, data_plane_seen) = control_config::channel();
        let table = SharedTable::not_loaded();
        let dns_options = DnsOptions::new(config.dns, config.dns_upstream.clone());
        let dns =
            DnsServer::bind(&dns_options, table.clone(), &mut registry).await.or_exit(Exit::Unavailable)?;
        let issuer: Arc<dyn IssueIdentity> =
            Arc::new(LocalAuthority::new(Arc::clone(&authority), LEAF_LIFETIME));
        let bound = LocalApi::bind(&config.local, data_plane_seen, Arc::clone(&issuer), &mut registry).await;
        let mut local_api = bound.map_err(local_api_failure)?;
        let admin = AdminServer::bind(config.http, process.readiness.clone()).await?;
        let (source, said) = Source::open(&config, api.as_ref(), &data, &mut registry)?;

        let plan = PlanConfig {
            cluster: config.cluster.clone(),
            trust_domain: config.trust_domain.clone(),
            bundle: Some(authority::bundle(&data, &authority)?),
            vip_view: config.vip_view.clone(),
            // On Kubernetes the VIPs are no addresses of the gateways' machines.
            listen_ports: config.kubernetes().map(|_| Arc::default()),
        };
        let mut cluster = match (config.kubernetes(), api, said.cluster) {
            (Some(kubernetes), Some(api), Some(said)) => {
                let (config, data, plan, view) = (&config, &data, &plan, &first_view);
                let parts = Parts { config, kubernetes, api, kept, data, said, plan, view };
                Some(Cluster::new(parts, &mut registry))
            }
            _ => None,
        };
        if let Some(cluster) = &mut cluster
            && let Some(control) = config.kubernetes().and_then(|kubernetes| kubernetes.control.as_ref())
        {
            let listener = cluster.listener(control, issuer, authority.cert_pem())?;
            local_api = local_api.with_tls(listener, &mut registry).await?;
        }
        let (local, local_seen) = watch::channel(Arc::default());
        let upstream = Arc::new(OnceLock::new());
        let (joining, joining_seen) = watch::channel(None);
        let status = StatusPage {
            plan: plan.clone(),
            instance: data.instance().clone(),
            upstream: Arc::clone(&upstream),
            joining: joining_seen,
            source: said.state.clone(),
            local: local_seen,
            view: view_seen,
            gateways: local_api.gateways(),
            xds: local_api.xds_status(),
            kubernetes: cluster.as_ref().map(Cluster::status),
        };
        let page = status.clone();
        let admin =
            admin.metrics(registry).config(config.text.clone()).json("/status", move || page.render());
        let blocks = Blocks {
            source: process.readiness.register("the source of objects"),
            membership: process.readiness.register("membership of the federation"),
            view: process.readiness.register("the first view of the federation"),
        };
        Ok(Self {
            config,
            data,
            store,
            plan,
            metrics,
            admin,
            dns,
            table,
            local_api,
            data_plane,
            source,
            source_seen: said.state,
            cluster,
            view,
            local,
            upstream,
            joining,
            status,
            blocks,
        })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        Addresses {
            local: self.local_api.local_addr(),
            control: self.local_api.tls_addr(),
            dns: self.dns.local_addr(),
            http: self.admin.local_addr(),
        }
    }

    /// What `/status` shows.
    pub fn status(&self) -> StatusPage {
        self.status.clone()
    }

    /// Starts every task, and returns once the agent is a member of its federation.
    ///
    /// # Errors
    /// When it cannot become a member and has nothing to serve meanwhile.
    pub async fn run(self, process: &Process) -> Result<(), Failure> {
        let Addresses { local, control, dns, http } = self.addresses();
        tracing::info!(cluster = %self.config.cluster, %local, ?control, %dns, %http, source = %self.config.source, "listening");
        let (tasks, drain) = (&process.tasks, &process.drain);
        tasks.spawn("admin", self.admin.run(drain.clone()));
        tasks.spawn("source", self.source.run(drain.clone()));
        tasks.spawn_fallible("dns", self.dns.run(drain.signalled()));
        tasks.spawn_fallible("local api", self.local_api.run(drain.signalled()));
        let (mut side, told) = match self.cluster {
            Some(cluster) => {
                let Running { side, told } = cluster.start(&self.config, process).await?;
                (Some(side), Some(told))
            }
            None => (None, None),
        };

        // Nothing is published, and nothing planned, from a source that could not be read yet: it would withdraw all.
        let first = loaded(self.source_seen.clone()).await?;
        let mut offering = Offering::new(Deriver::new(facts(&self.config)));
        let (offered, bundle) = (offering.of(&first), self.plan.bundle.clone());
        let gateways = gateways(&self.config, side.as_mut(), &self.view.borrow());
        let published = published::desired(&self.config, self.data.instance(), bundle, gateways, &offered);
        let (published, published_seen) = watch::channel(Arc::new(published));
        let (applied, applied_seen) = watch::channel(Revision(0));
        let had_view = self.view.borrow().revision != Revision(0);
        let planner = Planner {
            plans: agent_plan::Planner::default(),
            config: Arc::clone(&self.config),
            instance: self.data.instance().clone(),
            plan: Arc::new(self.plan),
            source: self.source_seen,
            view: self.view.subscribe(),
            offers: offering,
            published,
            local: self.local,
            dns: self.table,
            data_plane: self.data_plane,
            applied,
            metrics: self.metrics.clone(),
            cluster: side,
        };
        tasks.spawn("planner", planner.run(self.blocks.view, drain.clone()));
        drop(self.blocks.source);

        let task = UpstreamTask {
            config: self.config,
            data: self.data,
            store: self.store,
            view: self.view,
            had_view,
            metrics: self.metrics,
            handle: self.upstream,
            joining: self.joining,
            told,
        };
        task.start(published_seen, applied_seen, process).await?;
        drop(self.blocks.membership);
        Ok(())
    }
}

/// What this cluster's exports are judged by, besides the objects.
fn facts(config: &Config) -> ClusterFacts {
    ClusterFacts {
        cluster: config.cluster.clone(),
        trust_domain: config.trust_domain.clone(),
        zone: config.zone.clone(),
    }
}

fn local_api_failure(error: LocalApiError) -> Failure {
    match error {
        // It names the address itself.
        LocalApiError::Bind { source, .. } => source.into(),
        served @ LocalApiError::Serve(_) => Failure::new(Exit::Internal, served),
    }
}

async fn loaded(mut states: watch::Receiver<Arc<SourceState>>) -> Result<Arc<SourceState>, Failure> {
    let state = states.wait_for(|state| state.loaded).await.or_exit(Exit::Internal)?;
    Ok(Arc::clone(&state))
}

/// The view of the last run. A file that is damaged is put aside for somebody to look at.
fn last_known_good(store: &Store) -> Result<FederationView, Failure> {
    match store.load() {
        Ok(found) => Ok(found.unwrap_or_default()),
        Err(error @ (LoadError::File(_) | LoadError::Newer { .. })) => Err(Failure::new(Exit::Io, error)),
        Err(error @ LoadError::Foreign { .. }) => Err(Failure::new(Exit::Io, error)),
        Err(error @ (LoadError::NotOurs(_) | LoadError::Damaged(_) | LoadError::Decode { .. })) => {
            let aside = store.path().with_extension("damaged");
            tracing::error!(error = %chain(&error), aside = %aside.display(), "starting without the last view");
            std::fs::rename(store.path(), &aside).or_exit(Exit::Io)?;
            Ok(FederationView::default())
        }
    }
}
