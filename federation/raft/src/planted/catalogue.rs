//! How a catalogue goes wrong.

use federation_model::item::ItemKey;
use federation_model::state::Applied;
use federation_model::{Batch, ClusterId, Command, InstanceId, Lease, Revision, State};

use super::{Bug, Planted};

impl Planted {
    /// As `State::apply`, with the defect.
    pub(crate) fn apply(self, state: &mut State, revision: Revision, batch: &Batch) -> Applied {
        if self.has(Bug::NoFencing) {
            return state.apply(revision, &unfenced(state, batch));
        }
        let mut applied = state.apply(revision, batch);
        if self.has(Bug::VipGivenAgain) {
            let orphans: Vec<_> = state
                .vips()
                .map(|(service, _)| service.clone())
                .filter(|service| state.exports_of(service).next().is_none())
                .collect();
            for service in orphans {
                state.give_back_vip(&service);
            }
        }
        if self.has(Bug::ChangeForgotten) && revision.0.is_multiple_of(16) {
            applied.changed.retain(|key| !matches!(key, ItemKey::Export(..)));
        }
        applied
    }

    /// What a watcher reads instead of `state`.
    pub(crate) fn shown(self, state: &State) -> Option<State> {
        if !self.has(Bug::NoScope) {
            return None;
        }
        let mut shown = state.clone();
        shown.widen_scopes();
        Some(shown)
    }
}

fn holder(state: &State, cluster: &ClusterId) -> Option<InstanceId> {
    match &state.cluster(cluster)?.lease {
        Lease::Held { instance, .. } => Some(instance.clone()),
        Lease::Expired { .. } => None,
    }
}

/// The batch as if whoever speaks held the lease.
fn unfenced(state: &State, batch: &Batch) -> Batch {
    let mut batch = batch.clone();
    for command in &mut batch.commands {
        let (cluster, instance) = match command {
            Command::RegisterCluster(registration) | Command::OpenSession { registration, .. } => {
                (registration.cluster.clone(), &mut registration.instance)
            }
            Command::PutExport { instance, export, .. } => (export.cluster.clone(), instance),
            Command::RenewLease { cluster, instance, .. }
            | Command::RemoveExport { cluster, instance, .. }
            | Command::PutBundle { cluster, instance, .. } => (cluster.clone(), instance),
            _ => continue,
        };
        if let Some(holder) = holder(state, &cluster) {
            *instance = holder;
        }
    }
    batch
}
