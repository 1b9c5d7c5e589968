//! Who the members are, and who leads: asked of any server, decided and done by the leader, one change at a time.

mod change;
mod error;
mod rules;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use federation_model::ServerId;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

pub use self::error::MembershipError;

use self::rules::Group;
use super::{Leadership, Node};
use crate::peer::client::{CallError, Network};
use crate::peer::transport::NoAnswer;
use crate::peer::wire::{Manage, ManageAnswer, Unmanaged};
use crate::types::{Member, Raft, Seat, StoreId, node_id};

/// How long a change may take in all. A leader that hears of one has less time, so that its answer arrives.
const LIMIT: Duration = Duration::from_secs(10);
/// How long to wait before asking again when the leader changes.
const RETRY: Duration = Duration::from_millis(50);

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// False if it was so before.
    pub changed: bool,
    /// Who leads after it.
    pub leader: ServerId,
}

impl Node {
    /// Adds an empty server as a learner: it is sent the log, and does not vote. It must run, and wait to be added.
    ///
    /// # Errors
    /// See [`MembershipError`], here and below.
    pub async fn add_learner(&self, id: ServerId, member: Member) -> Result<Managed, MembershipError> {
        self.inner.manager.manage(Manage::Add { id, member }).await
    }

    /// Makes a learner a voter, once it has nearly the whole log.
    pub async fn promote(&self, id: ServerId) -> Result<Managed, MembershipError> {
        let store = self.inner.manager.store(id);
        self.inner.manager.manage(Manage::Promote { id, only_check: false, store }).await
    }

    /// Whether a learner could be made a voter now; nothing is changed.
    pub async fn may_promote(&self, id: ServerId) -> Result<Managed, MembershipError> {
        let store = self.inner.manager.store(id);
        self.inner.manager.manage(Manage::Promote { id, only_check: true, store }).await
    }

    /// Removes a member, dead or alive. A leader hands over first.
    pub async fn remove(&self, id: ServerId) -> Result<Managed, MembershipError> {
        let store = self.inner.manager.store(id);
        self.inner.manager.manage(Manage::Remove { id, store }).await
    }

    /// Lets another voter lead: `to`, or the one with most of the log.
    pub async fn transfer_leadership(&self, to: Option<ServerId>) -> Result<Managed, MembershipError> {
        self.inner.manager.manage(Manage::Transfer { to }).await
    }

    /// If this server leads, lets another one lead, within `limit`; else does nothing. For a server that stops.
    ///
    /// # Errors
    /// When no other server leads after it. It may still lead itself.
    pub async fn hand_over(&self, limit: Duration) -> Result<(), MembershipError> {
        if !self.inner.leadership.borrow().is_leader() {
            return Ok(());
        }
        let handed =
            tokio::time::timeout(limit, self.inner.manager.here(Manage::Transfer { to: None })).await;
        match handed {
            Ok(Err(Unmanaged::Refused(error))) => Err(error),
            // Somebody else leads, be it by this or not.
            Ok(Ok(_) | Err(Unmanaged::NotLeader)) => Ok(()),
            Err(_) => Err(MembershipError::Uncommitted { waited: limit }),
        }
    }
}

/// Changes the members, and who leads. Cheap to clone; clones make one change at a time.
#[derive(Clone)]
pub(crate) struct Manager {
    raft: Raft,
    network: Network,
    leadership: watch::Receiver<Leadership>,
    /// While true, the leader begins no entry.
    held: watch::Sender<bool>,
    changing: Arc<Mutex<()>>,
}

impl Manager {
    /// `held` is told while proposals must wait.
    pub(super) fn new(
        raft: Raft,
        network: Network,
        leadership: watch::Receiver<Leadership>,
        held: watch::Sender<bool>,
    ) -> Self {
        Self { raft, network, leadership, held, changing: Arc::default() }
    }

    /// Has the leader do it, wherever it is.
    async fn manage(&self, request: Manage) -> Result<Managed, MembershipError> {
        let deadline = Instant::now() + LIMIT;
        let mut leadership = self.leadership.clone();
        loop {
            let known = tokio::time::timeout_at(deadline, leadership.wait_for(|seen| seen.leader.is_some()));
            let leadership_now = match known.await {
                Ok(Ok(seen)) => seen.clone(),
                Ok(Err(_)) => return Err(MembershipError::Stopped),
                Err(_) => return Err(MembershipError::NoLeader { waited: LIMIT }),
            };
            let Some(leader) = leadership_now.leader else { continue };
            let answer = if leadership_now.is_leader() {
                self.here(request.clone()).await
            } else {
                self.there(leader, &request, deadline).await
            };
            match answer {
                Ok(managed) => return Ok(managed),
                Err(Unmanaged::Refused(error)) => return Err(error),
                Err(Unmanaged::NotLeader) => {
                    if Instant::now() >= deadline {
                        return Err(MembershipError::NoLeader { waited: LIMIT });
                    }
                    // A change of leader ends the pause early.
                    if let Ok(Err(_)) = tokio::time::timeout(RETRY, leadership.changed()).await {
                        return Err(MembershipError::Stopped);
                    }
                }
            }
        }
    }

    async fn there(&self, leader: ServerId, request: &Manage, deadline: Instant) -> ManageAnswer {
        let limit = deadline.saturating_duration_since(Instant::now());
        match self.network.manage(leader, self.seat(leader).as_ref(), request, limit).await {
            Ok(answer) => answer,
            Err(CallError::NoAnswer(NoAnswer::Timeout(waited))) => {
                Err(MembershipError::Uncommitted { waited }.into())
            }
            Err(CallError::NoAnswer(NoAnswer::Unknown)) => Err(MembershipError::OldLeader(leader).into()),
            Err(error) => {
                tracing::debug!(%leader, error = %federation_kit::exit::chain(&error), "leader did not answer");
                Err(Unmanaged::NotLeader)
            }
        }
    }

    /// Does it, if this server leads.
    pub(crate) async fn here(&self, request: Manage) -> ManageAnswer {
        let _changing = self.changing.try_lock().map_err(|_| MembershipError::InProgress)?;
        self.finish().await?;
        match request {
            Manage::Add { id, member } => self.add(id, member).await,
            Manage::Promote { id, only_check, store } => self.promote(id, store, only_check).await,
            Manage::Remove { id, store } => self.remove(id, store).await,
            Manage::Transfer { to } => self.transfer(to).await,
        }
    }

    /// Where a member is, as the membership has it.
    pub(super) fn seat(&self, id: ServerId) -> Option<Seat> {
        self.raft.metrics().borrow().membership_config.membership().get_node(&node_id(id)).cloned()
    }

    /// The data directory that has a member's seat, as this server sees it.
    fn store(&self, id: ServerId) -> Option<StoreId> {
        self.seat(id).and_then(|seat| seat.store)
    }

    /// The group as this server sees it, if it leads.
    fn group(&self) -> Result<Group, Unmanaged> {
        let leadership = self.leadership.borrow().clone();
        if !leadership.is_leader() {
            return Err(Unmanaged::NotLeader);
        }
        Ok(Group::of(leadership.me, &self.raft.metrics().borrow(), self.network.silence.servers()))
    }

    fn done(&self, changed: bool) -> ManageAnswer {
        let leader = self.leadership.borrow().leader.ok_or(Unmanaged::NotLeader)?;
        Ok(Managed { changed, leader })
    }
}

impl From<MembershipError> for Unmanaged {
    fn from(error: MembershipError) -> Self {
        Self::Refused(error)
    }
}
