//! What every connection of the data plane shares.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use east_west_gateway_route::RefusalReason;
use federation_kit::tasks::Tasks;
use federation_trust::{BundleSet, SharedBundles, SharedIdentity};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::applied::Applied;
use crate::config::Limits;
use crate::dial;
use crate::metrics::Metrics;
use crate::relay::RelayLimits;
use crate::tls::Credentials;
use crate::track::Tracker;

/// Most endpoints or targets that are tried for one connection.
pub const MAX_ATTEMPTS: usize = 4;

/// The state of the data plane. Everything in it can be replaced while connections are made.
#[derive(Debug)]
pub struct Plane {
    current: watch::Sender<Option<Arc<Applied>>>,
    /// Who the gateway is.
    pub identity: SharedIdentity,
    /// By whom it believes peers.
    pub bundles: SharedBundles,
    /// Connections being carried.
    pub tracker: Tracker,
    /// What is counted.
    pub metrics: Metrics,
    /// One task for each connection. A panic in one is logged, and is the end of that connection alone.
    pub connections: Tasks,
    /// Room for ingress connections.
    pub ingress_room: Arc<Semaphore>,
    /// Room for egress connections: a flood from outside cannot starve local clients.
    pub egress_room: Arc<Semaphore>,
    /// Bounds in time and number.
    pub limits: Limits,
}

impl Plane {
    /// A data plane without a configuration: it refuses everything.
    pub fn new(limits: Limits, metrics: Metrics) -> Self {
        let room = || Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
        Self {
            current: watch::Sender::new(None),
            identity: SharedIdentity::empty(),
            bundles: SharedBundles::default(),
            tracker: Tracker::default(),
            metrics,
            connections: Tasks::new(),
            ingress_room: room(),
            egress_room: room(),
            limits,
        }
    }

    /// Puts a validated configuration in force. Order matters: trust first, so that no connection admitted by the new
    /// configuration is judged by withdrawn bundles; then live connections; then those to come.
    pub fn apply(&self, applied: Arc<Applied>, bundles: BundleSet) {
        self.bundles.set(bundles);
        let closed = self.tracker.apply(Arc::clone(&applied), self.bundles.load());
        tracing::info!(version = applied.version, closed, "configuration applied");
        self.current.send_replace(Some(applied));
    }

    /// The configuration in force.
    pub fn current(&self) -> Option<Arc<Applied>> {
        self.current.borrow().clone()
    }

    /// Follows the configuration in force.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Applied>>> {
        self.current.subscribe()
    }

    /// What handshakes need.
    pub fn credentials(&self) -> Credentials<'_> {
        Credentials { identity: &self.identity, bundles: &self.bundles }
    }

    /// How long relayed connections may live.
    pub fn relay_limits(&self) -> RelayLimits {
        RelayLimits {
            idle: Duration::from_secs(self.limits.idle_seconds),
            lifetime: self.limits.lifetime_seconds.map(Duration::from_secs),
        }
    }

    /// Connects to the first of `endpoints` that answers.
    pub async fn dial_endpoint(&self, endpoints: &[SocketAddr]) -> Result<TcpStream, RefusalReason> {
        if endpoints.is_empty() {
            return Err(RefusalReason::NoEndpoint);
        }
        for endpoint in endpoints {
            match dial::plain(*endpoint, self.limits.dial()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    self.metrics.dial_failures.inc();
                    tracing::debug!(%endpoint, error = %federation_kit::exit::chain(&error), "endpoint not reached");
                }
            }
        }
        Err(RefusalReason::Unreachable)
    }
}
