//! Calls of local clients: a listener for every port of an import, kept in step with the configuration. It is at the
//! import's VIPs, or at the gateway's own addresses where the configuration gives a port for that: on Kubernetes VIPs are
//! the business of kube-proxy, which sends what goes to them here.
//!
//! A listener that cannot be bound is a problem of its own: it is reported, counted and tried again, and disturbs no
//! other. A listener that is no longer wanted is closed at once; what it accepted is judged by the tracker.
//!
//! Reading order: [`Egress`] → `slot` (one address) and [`socket`] → `connection` (one call) → [`state`].

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use federation_kit::drain::DrainWatcher;
use federation_kit::readiness::Block;
use federation_model::data_plane::{OutboundPort, ServicePortId};
use tokio::sync::watch;

mod connection;
mod slot;
pub mod socket;
pub mod state;
#[cfg(test)]
mod tests;

pub use state::{EgressState, ListenerState, ListenerStatus};

use crate::applied::Applied;
use crate::plane::Plane;
use slot::{How, Slot};

/// What there may be of egress.
#[derive(Debug)]
pub struct EgressOptions {
    /// Whether there will ever be any.
    pub enabled: bool,
    /// The gateway's own addresses, for ports that are not at VIPs.
    pub listen: Vec<IpAddr>,
    /// Most listeners; those beyond are problems.
    pub most: usize,
}

/// Keeps the egress listeners.
#[derive(Debug)]
pub struct Egress {
    plane: Arc<Plane>,
    options: EgressOptions,
    state: watch::Sender<EgressState>,
    slots: BTreeMap<SocketAddr, Slot>,
    /// Held until the listeners of a first configuration were tried.
    first: Option<Block>,
}

/// Who is wanted at an address.
#[derive(Debug)]
struct Wanted<'a> {
    target: &'a ServicePortId,
    how: How,
}

impl Egress {
    /// No listeners yet. `first` is dropped when those of a first configuration were tried.
    pub fn new(plane: Arc<Plane>, options: EgressOptions, first: Option<Block>) -> Self {
        let state = watch::Sender::new(EgressState::default());
        Self { plane, options, state, slots: BTreeMap::new(), first }
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
                self.first = None;
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
        let (wanted, conflicts) = wanted(applied, &self.options);
        self.close_unwanted(&wanted).await;
        let mut listening = self.slots.values().filter(|slot| slot.is_listening()).count();
        let most = self.options.most;
        for (address, Wanted { target, how }) in &wanted {
            let slot = self.slots.entry(*address).or_insert_with(|| Slot::new((*target).clone(), *how));
            let before = slot.is_listening();
            let full = || too_many(wanted.len(), most);
            slot.advance(*address, &self.plane, listening < most, full).await;
            listening += usize::from(!before && slot.is_listening());
        }
        self.publish(applied, conflicts);
    }

    /// What is not wanted, or not for this service, goes first: its address may be wanted by another.
    async fn close_unwanted(&mut self, wanted: &BTreeMap<SocketAddr, Wanted<'_>>) {
        let stays = |address: &SocketAddr, slot: &mut Slot| {
            wanted.get(address).is_some_and(|wanted| wanted.target == &slot.target)
        };
        let unwanted = self.slots.extract_if(.., |address, slot| !stays(address, slot));
        let closing: Vec<_> = unwanted.filter_map(|(address, slot)| Some((address, slot.close()?))).collect();
        for (address, accepting) in closing {
            // Aborted, and awaited only so that the address is free when this returns.
            let _aborted = accepting.await;
            tracing::info!(%address, "egress listener closed");
        }
    }

    fn publish(&self, applied: &Applied, conflicts: Vec<ListenerStatus>) {
        let slots = self.slots.iter().map(|(listen, slot)| slot.status(*listen));
        let listeners = slots.chain(conflicts).collect();
        let state = EgressState { version: Some(applied.version.clone()), listeners };
        self.plane.metrics.listeners(state.listening(), state.listeners.len());
        self.state.send_if_modified(|before| {
            let changed = *before != state;
            *before = state;
            changed
        });
    }
}

/// Every address with its service; and services whose address another one has already.
fn wanted<'a>(
    applied: &'a Applied,
    options: &EgressOptions,
) -> (BTreeMap<SocketAddr, Wanted<'a>>, Vec<ListenerStatus>) {
    let (mut wanted, mut conflicts) = (BTreeMap::new(), Vec::new());
    if !options.enabled {
        return (wanted, conflicts);
    }
    for (target, port) in &applied.config.egress {
        for (listen, how) in places(target, port, options) {
            let owner = wanted.entry(listen).or_insert(Wanted { target, how });
            if owner.target != target {
                let owner = owner.target;
                let error = format!("the address belongs to {}:{}", owner.service, owner.port);
                let state = ListenerState::Failed(error);
                conflicts.push(ListenerStatus { listen, target: target.clone(), state });
            }
        }
    }
    (wanted, conflicts)
}

/// Where a port of an import is listened on.
fn places(target: &ServicePortId, port: &OutboundPort, options: &EgressOptions) -> Vec<(SocketAddr, How)> {
    match port.listen_port {
        Some(own) => {
            let how = How::Own { alone: options.listen.len() == 1 };
            options.listen.iter().map(|ip| (SocketAddr::new(*ip, own.get()), how)).collect()
        }
        None => port.vip.iter().map(|vip| (SocketAddr::new(*vip, target.port.get()), How::Vip)).collect(),
    }
}

fn too_many(wanted: usize, most: usize) -> String {
    format!(
        "{wanted} listeners are wanted, and this process opens at most {most}: raise its limit of open files (half of it \
         is for listeners)"
    )
}
