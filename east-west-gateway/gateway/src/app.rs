//! The gateway put together: everything is bound and restored here, then run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use federation_kit::admin::AdminServer;
use federation_kit::daemon::Process;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::{Exit, Failure, OrExit};
use federation_kit::{bind, build_info};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::config_source::{AgentLink, Source, SourceParts, Store, Waits};
use crate::descriptors;
use crate::egress::{Egress, EgressOptions, EgressState, socket};
use crate::listen;
use crate::metrics::Metrics;
use crate::plane::Plane;
use crate::status::StatusPage;
use crate::track::CloseReason;

/// Longer than any drain: the drain's own deadline ends the wait.
const UNBOUNDED: Duration = Duration::from_secs(365 * 24 * 3_600);
/// How long connections may take to close once they were told to.
const CLOSING: Duration = Duration::from_secs(1);

/// A gateway whose listeners are bound.
#[derive(Debug)]
pub struct Gateway {
    plane: Arc<Plane>,
    ingress: TcpListener,
    admin: AdminServer,
    egress: Egress,
    source: Source,
    addresses: Addresses,
}

/// Where a gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For other clusters.
    pub ingress: SocketAddr,
    /// For operators.
    pub admin: SocketAddr,
}

impl Gateway {
    /// Binds every listener, and puts in force what is on disk.
    pub async fn bind(config: &Config, process: &Process) -> Result<Self, Failure> {
        let store = Store::open(&config.data_dir)?;
        let ingress = bind::tcp(config.listen).await?;
        let admin = AdminServer::bind(config.http_listen, process.readiness.clone()).await?;
        let addresses =
            Addresses { ingress: ingress.local_addr().or_exit(Exit::Io)?, admin: admin.local_addr() };
        let mut registry = Registry::default();
        build_info::register(&mut registry, process.name);
        let plane = Arc::new(Plane::new(config.limits, Metrics::new(&mut registry)));
        let listen = match config.egress.listen.as_slice() {
            [] => socket::own_addresses(),
            given => given.to_vec(),
        };
        let options = EgressOptions {
            enabled: config.egress.enabled,
            listen,
            most: descriptors::most_listeners(descriptors::raise()),
        };
        let tried = process.readiness.register("the egress listeners");
        let egress = Egress::new(Arc::clone(&plane), options, Some(tried));
        let source = Source::start(SourceParts {
            name: config.name.clone(),
            agent: AgentLink::new(config),
            plane: Arc::clone(&plane),
            store,
            egress: egress.subscribe(),
            waits: Waits {
                configuration: Some(process.readiness.register("a configuration from the agent")),
                identity: Some(process.readiness.register("a certificate from the agent")),
            },
        });
        let page = StatusPage {
            name: config.name.clone(),
            plane: Arc::clone(&plane),
            egress: egress.subscribe(),
            followed: source.followed(),
        };
        let shown = toml::to_string(config).or_exit(Exit::Internal)?;
        let admin = admin.metrics(registry).config(shown).json("/status", move || page.render());
        Ok(Self { plane, ingress, admin, egress, source, addresses })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// What is shared by its connections.
    pub fn plane(&self) -> &Arc<Plane> {
        &self.plane
    }

    /// Follows the egress listeners.
    pub fn egress(&self) -> watch::Receiver<EgressState> {
        self.egress.subscribe()
    }

    /// Spawns everything. Returns at once; the tasks end with the drain.
    pub fn run(self, process: &Process) {
        let Self { plane, ingress, admin, egress, source, addresses } = self;
        tracing::info!(ingress = %addresses.ingress, http = %addresses.admin, "gateway listens");
        let drain = || process.drain.clone();
        process.tasks.spawn("admin endpoint", admin.run(drain()));
        process.tasks.spawn("configuration source", source.run(drain()));
        process.tasks.spawn("egress listeners", egress.run(drain()));
        process.tasks.spawn("ingress listener", listen::serve(ingress, Arc::clone(&plane), drain()));
        process.tasks.spawn("live connections", hold_connections(plane, drain()));
    }
}

/// Holds the drain for as long as connections live, and closes those that are left when it has taken its time.
async fn hold_connections(plane: Arc<Plane>, drain: DrainWatcher) {
    drain.wait().await;
    tokio::select! {
        _ended = plane.connections.stop(UNBOUNDED) => return,
        () = drain.forced() => {}
    }
    plane.tracker.close_all(CloseReason::Draining);
    let cut_off = plane.connections.stop(CLOSING).await;
    tracing::warn!(cut_off, "connections closed by the drain");
}
