//! The leader's part: one change of the membership after the other, each committed before it is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use federation_model::ServerId;
use openraft::ChangeMembers;
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};

use super::rules::Removal;
use super::{Manager, MembershipError};
use crate::node::Leadership;
use crate::peer::wire::{About, ManageAnswer, Unmanaged};
use crate::types::{Member, Seat, StoreId, node_id};

/// How long a change may take to commit: less than whoever asks for it waits.
const COMMIT: Duration = Duration::from_secs(7);
/// How long a new server may take to say what it has.
const ANSWER: Duration = Duration::from_secs(2);
/// How long to wait before another attempt at what a former leader left.
const RETRY: Duration = Duration::from_secs(1);

impl Manager {
    pub(super) async fn add(&self, id: ServerId, member: Member) -> ManageAnswer {
        self.group()?;
        let about = self.ask(id, &member).await?;
        let group = self.group()?;
        if !group.may_add(id, &member, about.store)? {
            return self.done(false);
        }
        if !about.pristine {
            return Err(MembershipError::HasData { server: id, address: member.raft }.into());
        }
        let seat = Seat::added(member, Some(about.store));
        tracing::info!(server = %id, "adding a learner");
        self.change(ChangeMembers::AddNodes(BTreeMap::from([(node_id(id), seat)]))).await?;
        self.done(true)
    }

    async fn ask(&self, id: ServerId, member: &Member) -> Result<About, MembershipError> {
        let seat = Seat::added(member.clone(), None);
        self.network.about(id, Some(&seat), ANSWER).await.map_err(|error| MembershipError::Silent {
            server: id,
            address: member.raft.clone(),
            problem: federation_kit::exit::chain(&error).to_string(),
        })
    }

    pub(super) async fn promote(
        &self,
        id: ServerId,
        store: Option<StoreId>,
        only_check: bool,
    ) -> ManageAnswer {
        if !self.group()?.may_promote(id, store)? || only_check {
            return self.done(false);
        }
        tracing::info!(server = %id, "promoting a learner");
        self.change(ChangeMembers::AddVoterIds(BTreeSet::from([node_id(id)]))).await?;
        self.done(true)
    }

    pub(super) async fn remove(&self, id: ServerId, store: Option<StoreId>) -> ManageAnswer {
        let ids = BTreeSet::from([node_id(id)]);
        let removal = self.group()?.may_remove(id, store)?;
        tracing::info!(server = %id, ?removal, "removing a member");
        let change = match removal {
            Removal::Learner => ChangeMembers::RemoveNodes(ids),
            Removal::Voter => ChangeMembers::RemoveVoters(ids),
            Removal::Leader => {
                self.transfer(None).await?;
                // Whoever asked asks the next leader.
                return Err(Unmanaged::NotLeader);
            }
        };
        self.change(change).await?;
        self.done(true)
    }

    /// Brings a change to its end that was left half made: by a leader that died, or by one who asked and left.
    pub(super) async fn finish(&self) -> Result<(), Unmanaged> {
        let Some(voters) = self.group()?.unfinished else { return Ok(()) };
        tracing::info!(?voters, "finishing a change of the members");
        self.change(ChangeMembers::ReplaceAllVoters(voters)).await
    }

    /// Makes one change, through a joint configuration where it concerns voters. Who is removed is forgotten.
    async fn change(&self, change: ChangeMembers<u64, Seat>) -> Result<(), Unmanaged> {
        let changed = tokio::time::timeout(COMMIT, self.raft.change_membership(change, false)).await;
        let error = match changed {
            Ok(Ok(done)) => {
                // What is decided next is decided by this.
                let mut metrics = self.raft.metrics();
                let seen = metrics.wait_for(|seen| *seen.membership_config.log_id() >= Some(done.log_id));
                return seen.await.map(|_| ()).map_err(|_| MembershipError::Stopped.into());
            }
            Ok(Err(error)) => error,
            Err(_) => return Err(MembershipError::Uncommitted { waited: COMMIT }.into()),
        };
        Err(match error {
            RaftError::Fatal(_) => MembershipError::Stopped.into(),
            RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => Unmanaged::NotLeader,
            RaftError::APIError(ClientWriteError::ChangeMembershipError(refused)) => match refused {
                ChangeMembershipError::InProgress(_) => MembershipError::InProgress.into(),
                ChangeMembershipError::EmptyMembership(_) => {
                    MembershipError::LastVoter(self.leadership.borrow().me).into()
                }
                ChangeMembershipError::LearnerNotFound(lacking) => {
                    MembershipError::NotAMember(ServerId(lacking.node_id)).into()
                }
            },
        })
    }

    /// While this server leads, finishes what others left, for as long as it runs.
    pub(in crate::node) async fn keep_finished(self) {
        let (mut metrics, mut leadership) = (self.raft.server_metrics(), self.leadership.clone());
        loop {
            let joint = |seen: &openraft::metrics::RaftServerMetrics<u64, Seat>| {
                seen.membership_config.membership().get_joint_config().len() > 1
            };
            if metrics.wait_for(joint).await.is_err()
                || leadership.wait_for(Leadership::is_leader).await.is_err()
            {
                return;
            }
            // A change that is under way here is finished by whoever makes it.
            let _changing = self.changing.lock().await;
            match self.finish().await {
                Ok(()) | Err(Unmanaged::NotLeader) => {}
                Err(Unmanaged::Refused(error)) => {
                    tracing::warn!(%error, "a change of the members cannot be finished");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
