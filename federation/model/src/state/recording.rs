//! What the audit says of a command: judged before it is applied, recorded if it changes something.

use super::State;
use crate::audit::{Actor, Change, Operation};
use crate::command::{Command, Registration};
use crate::ids::{Revision, UnixMillis};
use crate::item::ItemKey;

/// What a command will have changed, if it changes anything.
#[derive(Debug)]
pub(super) enum Recording {
    /// Nothing, or nothing that anybody asked for.
    None,
    /// If a piece of the catalogue changes.
    IfSeen(Actor, Change),
    /// If it is accepted: no piece of the catalogue shows it.
    IfAccepted(Actor, Change),
    /// For each cluster that changes.
    Expiries,
}

impl Recording {
    pub(super) fn of(state: &State, command: &Command) -> Self {
        let agent = |cluster: &crate::ids::ClusterId| Actor::Agent(cluster.clone());
        match command {
            Command::Configure { vips } if state.vip_ranges == *vips || state.next_vip > 0 => Self::None,
            Command::Configure { .. } => Self::IfAccepted(Actor::Servers, Change::VipsConfigured),
            Command::RegisterCluster(Registration { cluster, .. })
            | Command::OpenSession { registration: Registration { cluster, .. }, .. }
            | Command::RenewLease { cluster, .. } => Self::IfSeen(agent(cluster), Change::ClusterRegistered),
            Command::ExpireLeases => Self::Expiries,
            Command::PutExport { export, .. } => {
                let service = export.service.clone();
                let change = match state.export(&export.service, &export.cluster) {
                    None => Change::ExportAdded { service },
                    Some(present) if present.same_offer(export) => Change::EndpointsChanged { service },
                    Some(_) => Change::ExportChanged { service },
                };
                Self::IfSeen(agent(&export.cluster), change)
            }
            Command::RemoveExport { cluster, service, .. } => {
                Self::IfSeen(agent(cluster), Change::ExportRemoved { service: service.clone() })
            }
            Command::PutBundle { cluster, bundle, .. } => {
                let (trust_domain, sequence) = (bundle.trust_domain.clone(), bundle.sequence);
                Self::IfSeen(agent(cluster), Change::BundlePublished { trust_domain, sequence })
            }
            Command::CreateToken { hash, .. } if state.tokens.contains_key(hash) => Self::None,
            Command::CreateToken { cluster, expires, by, .. } => {
                let actor = by.clone().map_or(Actor::NotRecorded, Actor::Operator);
                Self::IfAccepted(actor, Change::TokenCreated { cluster: cluster.clone(), expires: *expires })
            }
            Command::RedeemToken { hash, cluster, .. } => match state.tokens.get(hash) {
                Some(token) if token.used_by.is_none() => {
                    Self::IfAccepted(agent(cluster), Change::TokenRedeemed)
                }
                _ => Self::None,
            },
            Command::Operated { by, operation } => {
                Self::IfAccepted(Actor::Operator(by.clone()), Change::Operated(operation.clone()))
            }
        }
    }
}

impl State {
    /// Moves on to `revision`, after the restoring of what was saved at `taken_at`.
    pub(crate) fn restored(&mut self, revision: Revision, at: UnixMillis, taken_at: Revision) {
        self.revision = revision;
        let change = Change::Operated(Operation::Restored { taken_at });
        self.audit.record(revision, at, Actor::Servers, change);
    }

    pub(super) fn record(&mut self, at: UnixMillis, recording: Recording, changed: &[ItemKey]) {
        let revision = self.revision;
        match recording {
            Recording::IfAccepted(actor, change) => self.audit.record(revision, at, actor, change),
            Recording::IfSeen(actor, change) if !changed.is_empty() => {
                self.audit.record(revision, at, actor, change);
            }
            Recording::Expiries => {
                for key in changed {
                    if let ItemKey::Cluster(cluster) = key {
                        let change = Change::LeaseExpired { cluster: cluster.clone() };
                        self.audit.record(revision, at, Actor::Servers, change);
                    }
                }
            }
            Recording::None | Recording::IfSeen(..) => {}
        }
    }
}
