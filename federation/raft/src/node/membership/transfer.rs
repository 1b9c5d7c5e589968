//! Another server leads: on purpose, and without waiting for an election timeout.
//!
//! openraft 0.9 cannot hand over, and its voters refuse everybody for as long as they believe in a leader (its lease).
//! What ends that belief is a later vote, and a vote that nobody has won yet carries no lease. So the leader lets the
//! successor have the whole log, adopts such a vote itself, gives it to the voters with an append that fits no log,
//! and asks the successor to stand for election. It wins as in any other election: each voter compares the logs
//! before it grants anything, so whatever goes wrong on the way costs an election and never an entry.

use std::time::Duration;

use federation_model::ServerId;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::{Manager, MembershipError};
use crate::peer::wire::{Append, ManageAnswer, TakeOver, Unmanaged};
use crate::types::{LogId, Vote, node_id};

/// How long the successor may take to have the whole log. Writes wait meanwhile.
const CATCH_UP: Duration = Duration::from_secs(2);
/// How long the others may take to hear of it.
const RELEASE: Duration = Duration::from_millis(300);
/// How long the successor may take to win.
const WIN: Duration = Duration::from_secs(2);

/// Lets writes go on when it is dropped.
struct Held<'a>(&'a watch::Sender<bool>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Manager {
    pub(super) async fn transfer(&self, to: Option<ServerId>) -> ManageAnswer {
        let target = self.group()?.successor(to)?;
        if target == self.leadership.borrow().me {
            return self.done(false);
        }
        tracing::info!(successor = %target, "handing over");
        // Writes wait here until somebody else leads, or this has failed.
        let _held = self.hold();
        self.wait_for_log(target).await?;
        let vote = self.step_down(target).await?;
        self.release(target, vote).await;
        let seat = self.seat(target);
        let asked = self.network.take_over(target, seat.as_ref(), &TakeOver { vote }, RELEASE).await;
        if let Err(error) = asked {
            tracing::warn!(successor = %target, error = %federation_kit::exit::chain(&error), "the successor does not answer");
        }
        let mut leadership = self.leadership.clone();
        let term = vote.leader_id.term;
        let led = leadership.wait_for(|seen| seen.term >= term && seen.leader.is_some());
        let leader = match tokio::time::timeout(WIN, led).await {
            Ok(Ok(seen)) => seen.leader,
            Ok(Err(_)) => return Err(MembershipError::Stopped.into()),
            Err(_) => None,
        };
        match leader {
            Some(leader) if leader == target => self.done(true),
            // Nobody in particular was asked for.
            Some(leader) if to.is_none() && leader != self.leadership.borrow().me => self.done(true),
            leader => Err(MembershipError::NotTaken { target, leader }.into()),
        }
    }

    fn hold(&self) -> Held<'_> {
        self.held.send_replace(true);
        Held(&self.held)
    }

    async fn wait_for_log(&self, target: ServerId) -> Result<(), Unmanaged> {
        let mut metrics = self.raft.metrics();
        let target_id = node_id(target);
        let has_all = metrics.wait_for(|seen| match &seen.replication {
            Some(all) => all.get(&target_id).is_some_and(|at| at.map(|at| at.index) >= seen.last_log_index),
            // It does not lead any more.
            None => true,
        });
        match tokio::time::timeout(CATCH_UP, has_all).await {
            Ok(Ok(seen)) if seen.replication.is_some() => Ok(()),
            Ok(Ok(_)) => Err(Unmanaged::NotLeader),
            Ok(Err(_)) => Err(MembershipError::Stopped.into()),
            Err(_) => {
                Err(MembershipError::Behind { server: target, entries: self.group()?.lag(target), bound: 0 }
                    .into())
            }
        }
    }

    /// From here on this server leads no more.
    async fn step_down(&self, target: ServerId) -> Result<Vote, Unmanaged> {
        let term = self.raft.metrics().borrow().vote.leader_id.term;
        let vote = Vote::new(term.saturating_add(1), node_id(target));
        match self.raft.append_entries(only(vote)).await {
            Ok(_) => Ok(vote),
            Err(_) => Err(MembershipError::Stopped.into()),
        }
    }

    /// Tells the other voters. Who does not hear of it believes in this leader for the rest of its lease.
    async fn release(&self, target: ServerId, vote: Vote) {
        let me = self.leadership.borrow().me;
        let membership = self.raft.metrics().borrow().membership_config.membership().clone();
        let others = membership.voter_ids().map(ServerId).filter(|id| *id != me && *id != target);
        let told = others.map(|id| {
            let seat = membership.get_node(&node_id(id)).cloned();
            async move { self.network.append(id, seat.as_ref(), &only(vote), RELEASE).await.is_ok() }
        });
        // Those that are down would take all of that time; a majority is enough.
        let until = Instant::now() + RELEASE;
        let told = timeout_at(until, join_all(told)).await;
        tracing::debug!(?told, "voters were told");
    }
}

/// An append of which only the vote counts. It continues a log that nobody has, so that nobody takes or gives up an entry.
fn only(vote: Vote) -> Append {
    let nowhere = LogId::new(vote.leader_id, u64::MAX);
    Append { vote, prev_log_id: Some(nowhere), entries: Vec::new(), leader_commit: None }
}
