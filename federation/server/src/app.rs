//! A server put together: listeners are bound first, then the node takes part, then everything is served.

mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use federation_api::MAX_MESSAGE_BYTES;
use federation_api::federation::admin_server::AdminServer as AdminGrpc;
use federation_api::federation::federation_server::FederationServer;
use federation_kit::admin::AdminServer;
use federation_kit::build_info;
use federation_kit::daemon::Process;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::{Exit, Failure, OrExit};
use federation_kit::grpc::TlsIncoming;
use federation_kit::readiness::{Block, Readiness};
use federation_model::{Command, VipRanges};
use federation_raft::{
    Clock, Leadership, ListenError, Node, NodeConfig, PeerListener, Space, Standing, StartError, StoreError,
};
use federation_trust::authorize::Anyone;
use federation_trust::tls::{Clients, ServerTls, server_config};
use prometheus_client::registry::Registry;
use tonic::transport::Server;

use crate::config::Config;
use crate::metrics::{Metrics, NodeCollector, WatchCollector};
use crate::services::{AdminService, Context, FederationService};
use crate::trust::Trust;

/// A peer that does not answer a ping for this long is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How often connections are pinged.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Most calls at the same time on one connection.
const MAX_CALLS: u32 = 64;
/// What `/readyz` waits for, once the server takes part.
const A_LEADER: &str = "a leader";
/// How long a leader that stops may take to let another one lead.
const HAND_OVER: Duration = Duration::from_secs(1);
/// How long to wait before the VIP ranges are proposed again.
const CONFIGURE_RETRY: Duration = Duration::from_secs(1);

/// The ports of a server, bound and not yet served.
#[derive(Debug)]
pub struct Listeners {
    trust: Arc<Trust>,
    registry: Registry,
    metrics: Metrics,
    api: TlsIncoming,
    raft: PeerListener,
    http: AdminServer,
}

impl Listeners {
    /// Loads the authority, issues our own identity and binds the three ports.
    pub async fn bind(config: &Config, process: &Process) -> Result<Self, Failure> {
        let trust = Arc::new(Trust::load(config)?);
        let mut registry = Registry::default();
        build_info::register(&mut registry, process.name);
        let (metrics, ports) = Metrics::register(&mut registry);

        let api_tls = ServerTls {
            identity: trust.identity(),
            bundles: trust.bundles(),
            // Joining agents have no certificate yet. One that is shown is always judged.
            clients: Clients::Optional,
            authorize: Arc::new(Anyone),
            alpn: vec![b"h2".to_vec()],
        };
        let api_tls = server_config(api_tls).or_exit(Exit::Internal)?;
        let api = TlsIncoming::bind(config.api_listen, api_tls, ports.api).await?;
        let (identity, bundles) = (trust.identity(), trust.bundles());
        let raft = PeerListener::bind(config.raft_listen, trust.clusterset(), identity, bundles, ports.raft);
        let raft = raft.await.map_err(|error| match error {
            ListenError::Bind(error) => error.into(),
            ListenError::Tls(_) => Failure::new(Exit::Internal, error),
        })?;
        let http = AdminServer::bind(config.http_listen, process.readiness.clone()).await?;
        Ok(Self { trust, registry, metrics, api, raft, http })
    }

    /// Where agents and operators call.
    #[must_use]
    pub fn api_addr(&self) -> SocketAddr {
        self.api.local_addr()
    }

    /// Where the other servers call.
    #[must_use]
    pub fn raft_addr(&self) -> SocketAddr {
        self.raft.local_addr()
    }

    /// Health, metrics and status.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http.local_addr()
    }
}

/// A server that takes part in consensus, and does not serve yet.
#[derive(Debug)]
pub struct App {
    context: Arc<Context>,
    vips: VipRanges,
    api: TlsIncoming,
    http: AdminServer,
}

impl App {
    /// Opens the data directory and joins the other servers.
    pub async fn build(config: Config, listeners: Listeners, process: &Process) -> Result<Self, Failure> {
        let Listeners { trust, mut registry, metrics, api, raft, http } = listeners;
        let raft_metrics = federation_raft::Metrics::register(registry.sub_registry_with_prefix("isthmus"));
        let node = Node::start(NodeConfig {
            id: config.id,
            clusterset: config.clusterset.clone(),
            data_dir: config.data_dir.clone(),
            members: config.voters(),
            join: config.join,
            identity: trust.identity(),
            bundles: trust.bundles(),
            listener: raft,
            space: Space::of(&config.data_dir, config.min_free_mib.saturating_mul(1024 * 1024)),
            timing: config.timing,
            clock: Clock::system(),
            metrics: raft_metrics,
        })
        .await
        .map_err(start_failure)?;
        let drain = process.drain.clone().into_observer();
        let advertised = config.advertise_servers.clone();
        let context = Context::new(node, trust, metrics, advertised, config.limits, drain);
        let context = Arc::new(context);
        registry.register_collector(Box::new(NodeCollector(context.node.clone())));
        let lags = Arc::clone(&context.watch.lags);
        registry.register_collector(Box::new(WatchCollector(context.node.clone(), lags)));
        let shown = Arc::clone(&context);
        let http =
            http.metrics(registry).config(config.shown()).json("/status", move || page::status(&shown));
        tracing::info!(
            server = %config.id,
            clusterset = %config.clusterset,
            api = %api.local_addr(),
            http = %http.local_addr(),
            "server is up"
        );
        Ok(Self { context, vips: config.vip_ranges(), api, http })
    }

    /// The catalogue and its consensus.
    #[must_use]
    pub fn node(&self) -> Node {
        self.context.node.clone()
    }

    /// What was counted.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.context.metrics.clone()
    }

    /// Serves until the drain: first calls and streams end, then this server leaves its peers.
    pub fn run(self, process: &Process) {
        let Self { context, vips, api, http } = self;
        let tasks = &process.tasks;
        // Blocked before the page is served: it must not say ready before the first look.
        let block = process.readiness.register(A_LEADER);
        tasks.spawn("readiness", follow_leader(context.node.clone(), process.readiness.clone(), block));
        tasks.spawn("http", http.run(process.drain.clone()));
        tasks.spawn("memory", watch_memory(Arc::clone(&context), process.drain.clone()));
        tasks.spawn("vip ranges", configure(context.node.clone(), vips));
        tasks.spawn("own certificate", renew(Arc::clone(&context.trust), process.drain.clone()));
        tasks.spawn_fallible("server", serve(context, api, process.drain.clone()));
    }
}

fn start_failure(error: StartError) -> Failure {
    let exit = match &error {
        StartError::NotAMember(_) | StartError::Timing(_) => Exit::Usage,
        StartError::Store(StoreError::InUse { .. }) => Exit::Unavailable,
        StartError::Store(_) | StartError::Raft(_) => Exit::Io,
    };
    Failure::new(exit, error)
}

/// Why a running server ended.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error("api port failed")]
    Api(#[source] tonic::transport::Error),
    #[error("consensus failed: {0}")]
    Node(federation_raft::RaftFailure),
}

async fn serve(context: Arc<Context>, api: TlsIncoming, drain: DrainWatcher) -> Result<(), ServeError> {
    let node = context.node.clone();
    let federation = FederationServer::new(FederationService(Arc::clone(&context)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let admin = AdminGrpc::new(AdminService(context))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    // Streams end at the same moment, so that agents are at another server when the next leader begins.
    let leaving = async {
        drain.signalled().await;
        if let Err(error) = node.hand_over(HAND_OVER).await {
            tracing::warn!(%error, "no other server leads yet");
        }
        Ok(())
    };
    let served = Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .max_concurrent_streams(Some(MAX_CALLS))
        .add_service(federation)
        .add_service(admin)
        .serve_with_incoming_shutdown(api, drain.signalled());
    let ended = tokio::select! {
        ended = async { tokio::try_join!(served, leaving) } => ended.map(|_| ()).map_err(ServeError::Api),
        failure = node.failed() => Err(ServeError::Node(failure)),
        () = drain.forced() => Ok(()),
    };
    node.shutdown().await;
    ended
}

async fn renew(trust: Arc<Trust>, drain: DrainWatcher) {
    tokio::select! {
        () = trust.keep_renewed() => {}
        () = drain.wait() => {}
    }
}

async fn watch_memory(context: Arc<Context>, drain: DrainWatcher) {
    tokio::select! {
        () = context.memory.clone().watch() => {}
        () = drain.wait() => {}
    }
}

/// Not ready while this server does not take part, or no leader is known: a write would only wait.
async fn follow_leader(node: Node, readiness: Readiness, mut block: Block) {
    let (mut standing, mut leadership) = (node.standing(), node.leadership());
    loop {
        let now = standing.borrow_and_update().clone();
        if now == Standing::Member {
            break;
        }
        block = readiness.register(now.to_string());
        if standing.changed().await.is_err() {
            return;
        }
    }
    loop {
        if leadership.wait_for(|seen| seen.leader.is_some()).await.is_err() {
            return;
        }
        drop(block);
        if leadership.wait_for(|seen| seen.leader.is_none()).await.is_err() {
            return;
        }
        block = readiness.register(A_LEADER);
    }
}

/// Every new leader makes sure that the configured VIP ranges are the replicated ones; once a VIP was given that
/// changes nothing.
async fn configure(node: Node, vips: VipRanges) {
    let mut leadership = node.leadership();
    while leadership.wait_for(Leadership::is_leader).await.is_ok() {
        let given = node.read(|state, _| (state.vip_ranges(), state.vips().next().is_some()));
        if given.0 != vips && !given.1 {
            if let Err(error) = node.propose(vec![Command::Configure { vips }]).await {
                tracing::warn!(%error, "vip ranges could not be configured");
                tokio::time::sleep(CONFIGURE_RETRY).await;
                continue;
            }
        } else if given.0 != vips {
            tracing::warn!(
                "the configured vip ranges are not those in use, from which vips were given already"
            );
        }
        if leadership.wait_for(|seen| !seen.is_leader()).await.is_err() {
            return;
        }
    }
}
