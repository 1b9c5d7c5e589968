//! Calls of local clients: a listener at every VIP and port of an import, kept in step with the configuration.
//!
//! A listener that cannot be bound is a problem of its own: it is reported, counted and tried again, and disturbs no
//! other. A listener that is no longer wanted is closed at once; what it accepted is judged by the tracker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use federation_kit::backoff::Backoff;
use federation_kit::bind;
use federation_kit::drain::DrainWatcher;
use federation_model::data_plane::ServicePortId;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

mod connection;
pub mod state;

pub use state::{EgressState, ListenerState, ListenerStatus};

use crate::applied::Applied;
use crate::listen;
use crate::plane::Plane;

/// Delays between attempts to bind one address.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));

/// Keeps the egress listeners.
#[derive(Debug)]
pub struct Egress {
    plane: Arc<Plane>,
    enabled: bool,
    state: watch::Sender<EgressState>,
    slots: BTreeMap<SocketAddr, Slot>,
}

/// One wanted address.
#[derive(Debug)]
struct Slot {
    target: ServicePortId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Never tried.
    New,
    /// Accepting, in a task that ends with the slot.
    Listening(AbortOnDropHandle<()>),
    /// To be tried again.
    Failed { error: String, backoff: Backoff, retry_at: Instant },
}

impl Egress {
    /// No listeners yet. `enabled`: whether there will ever be any.
    pub fn new(plane: Arc<Plane>, enabled: bool) -> Self {
        Self { plane, enabled, state: watch::Sender::new(EgressState::default()), slots: BTreeMap::new() }
    }

    /// Follows what listens where.
    pub fn subscribe(&self) -> watch::Receiver<EgressState> {
        self.state.subscribe()
    }

    /// Follows the configuration until the drain begins; every listener is closed then.
    pub async fn run(mut self, drain: DrainWatcher) {
        let mut changes = self.plane.subscribe();
        loop {
            let current = changes.borrow_and_update().clone();
            if let Some(applied) = &current {
                self.reconcile(applied).await;
            }
            let retry_at = self.slots.values().filter_map(Slot::retry_at).min();
            let retry = async {
                match retry_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = drain.wait() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = retry => {}
            }
        }
    }

    async fn reconcile(&mut self, applied: &Applied) {
        let (wanted, conflicts) = self.wanted(applied);
        // What is not wanted, or not for this service, goes first: its address may be wanted by another.
        let unwanted: Vec<SocketAddr> = self
            .slots
            .iter()
            .filter(|(address, slot)| wanted.get(*address) != Some(&slot.target))
            .map(|(address, _)| *address)
            .collect();
        for address in unwanted {
            if let Some(Slot { stage: Stage::Listening(accepting), .. }) = self.slots.remove(&address) {
                accepting.abort();
                // Aborted, and awaited only so that the address is free when this returns.
                let _aborted = accepting.await;
                tracing::info!(%address, "egress listener closed");
            }
        }
        for (address, target) in wanted {
            let slot = self.slots.entry(address).or_insert(Slot { target, stage: Stage::New });
            slot.advance(address, &self.plane).await;
        }
        self.publish(applied, conflicts);
    }

    /// Every address with its service; and services whose address another one has already.
    fn wanted(&self, applied: &Applied) -> (BTreeMap<SocketAddr, ServicePortId>, Vec<ListenerStatus>) {
        let (mut wanted, mut conflicts) = (BTreeMap::new(), Vec::new());
        if !self.enabled {
            return (wanted, conflicts);
        }
        for (target, port) in &applied.config.egress {
            for vip in &port.vip {
                let listen = SocketAddr::new(*vip, target.port.get());
                let owner = wanted.entry(listen).or_insert_with(|| target.clone());
                if owner != target {
                    let error = format!("the address belongs to {}", owner.service);
                    let state = ListenerState::Failed(error);
                    conflicts.push(ListenerStatus { listen, target: target.clone(), state });
                }
            }
        }
        (wanted, conflicts)
    }

    fn publish(&self, applied: &Applied, conflicts: Vec<ListenerStatus>) {
        let slots = self.slots.iter().map(|(listen, slot)| slot.status(*listen));
        let listeners = slots.chain(conflicts).collect();
        let state = EgressState { version: Some(applied.version.clone()), listeners };
        self.state.send_if_modified(|before| {
            let changed = *before != state;
            *before = state;
            changed
        });
    }
}

impl Slot {
    async fn advance(&mut self, address: SocketAddr, plane: &Arc<Plane>) {
        let backoff = match &self.stage {
            Stage::Listening(accepting) if !accepting.is_finished() => return,
            Stage::Failed { retry_at, .. } if *retry_at > Instant::now() => return,
            Stage::Failed { backoff, .. } => backoff.clone(),
            Stage::New | Stage::Listening(_) => Backoff::new(RETRY.0, RETRY.1),
        };
        self.stage = match bind::tcp(address).await {
            Ok(listener) => {
                tracing::info!(%address, service = %self.target.service, "egress listener open");
                let accepting = tokio::spawn(accept(listener, Arc::clone(plane), self.target.clone()));
                Stage::Listening(AbortOnDropHandle::new(accepting))
            }
            Err(error) => self.failed(address, &error, backoff, plane),
        };
    }

    fn failed(
        &self,
        address: SocketAddr,
        error: &bind::BindError,
        mut backoff: Backoff,
        plane: &Plane,
    ) -> Stage {
        plane.metrics.bind_failures.inc();
        let error = federation_kit::exit::chain(error).to_string();
        if matches!(self.stage, Stage::New) {
            tracing::warn!(%address, service = %self.target.service, error, "egress listener failed");
        }
        let retry_at = Instant::now() + backoff.next_delay();
        Stage::Failed { error, backoff, retry_at }
    }

    fn retry_at(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Failed { retry_at, .. } => Some(*retry_at),
            Stage::New | Stage::Listening(_) => None,
        }
    }

    fn status(&self, listen: SocketAddr) -> ListenerStatus {
        let state = match &self.stage {
            Stage::Listening(_) => ListenerState::Listening,
            Stage::New => ListenerState::Failed("not tried yet".to_owned()),
            Stage::Failed { error, .. } => ListenerState::Failed(error.clone()),
        };
        ListenerStatus { listen, target: self.target.clone(), state }
    }
}

/// Accepts until aborted. Connections run in tasks of their own and survive the listener.
async fn accept(listener: TcpListener, plane: Arc<Plane>, target: ServicePortId) {
    loop {
        let (stream, room) = listen::accept(&listener, &plane, &plane.egress_room).await;
        let handled = connection::handle(Arc::clone(&plane), stream, target.clone(), room);
        plane.connections.spawn("egress connection", handled);
    }
}
