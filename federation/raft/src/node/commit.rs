//! Group commit: whatever waits while one entry is written becomes the next entry.
//!
//! Commands are proposed at least once, not exactly once: an answer that is lost with its leader is asked for again.
//! Every command is therefore idempotent (see `federation_model::Command`).

use std::collections::VecDeque;
use std::time::Duration;

use federation_model::{Batch, Command, ServerId};
use openraft::error::{ClientWriteError, RaftError};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::Leadership;
use super::propose::{PROPOSAL_BYTES, Proposal, ProposeError, QUEUE, Route, now};
use crate::peer::client::{Network, forward};
use crate::peer::server::FORWARD_LIMIT;
use crate::peer::wire::{Committed, Declined};
use crate::types::{Raft, revision_of};

/// Largest entry, in encoded bytes, unless one proposal alone is larger.
const ENTRY_BYTES: usize = 1024 * 1024;
/// How long to wait before asking again when the leader is known and does not answer.
const RETRY: Duration = Duration::from_millis(50);

/// The one task that writes.
pub(super) struct Committer {
    raft: Raft,
    network: Network,
    leadership: watch::Receiver<Leadership>,
    waiting: mpsc::Receiver<Proposal>,
    backlog: VecDeque<Proposal>,
}

/// What came of one attempt.
enum Attempt {
    Done(Committed),
    /// Nobody committed it, or nobody said so.
    Again,
    Failed(ProposeError),
}

impl Committer {
    /// Takes proposals from `waiting`.
    pub(super) fn new(
        raft: Raft,
        network: Network,
        leadership: watch::Receiver<Leadership>,
        waiting: mpsc::Receiver<Proposal>,
    ) -> Self {
        Self { raft, network, leadership, waiting, backlog: VecDeque::new() }
    }

    /// Commits until every `Proposer` is gone.
    pub(super) async fn run(mut self) {
        loop {
            if self.backlog.is_empty() {
                match self.waiting.recv().await {
                    Some(first) => self.backlog.push_back(first),
                    None => return,
                }
            }
            while self.backlog.len() < QUEUE
                && let Ok(more) = self.waiting.try_recv()
            {
                self.backlog.push_back(more);
            }
            let group = self.next_group();
            self.commit(group).await;
        }
    }

    /// As many of the oldest as fit one entry. Proposals of different routes do not mix: one may be forwarded.
    fn next_group(&mut self) -> Vec<Proposal> {
        let mut group: Vec<Proposal> = Vec::new();
        let mut bytes = 0usize;
        while let Some(next) = self.backlog.front() {
            let other_route = group.first().is_some_and(|first| first.route != next.route);
            bytes = bytes.saturating_add(next.bytes);
            if !group.is_empty() && (other_route || bytes > ENTRY_BYTES) {
                break;
            }
            group.extend(self.backlog.pop_front());
        }
        group
    }

    async fn commit(&mut self, mut group: Vec<Proposal>) {
        loop {
            let now = Instant::now();
            let (live, late): (Vec<_>, Vec<_>) = group.into_iter().partition(|p| p.deadline > now);
            for proposal in late {
                let waited = now.saturating_duration_since(proposal.asked);
                // Whoever asked may have left; so be it, here and below.
                let _ = proposal.answer.send(Err(ProposeError::NoLeader { waited }));
            }
            group = live;
            let (Some(route), Some(until)) =
                (group.first().map(|p| p.route), group.iter().map(|p| p.deadline).min())
            else {
                return;
            };
            let commands: Vec<Command> = group.iter().flat_map(|p| p.commands.iter().cloned()).collect();
            let leadership = self.leadership.borrow_and_update().clone();
            match self.attempt(&leadership, commands, route, until).await {
                Attempt::Done(committed) => return answer_all(group, committed),
                Attempt::Failed(error) => {
                    for proposal in group {
                        let _ = proposal.answer.send(Err(error.clone()));
                    }
                    return;
                }
                Attempt::Again => {
                    let pause = RETRY.min(until.saturating_duration_since(Instant::now()));
                    // A new leader ends the pause; a closed channel means that the node stops, and then the queue
                    // closes too.
                    let _ = tokio::time::timeout(pause, self.leadership.changed()).await;
                }
            }
        }
    }

    async fn attempt(
        &self,
        leadership: &Leadership,
        commands: Vec<Command>,
        route: Route,
        until: Instant,
    ) -> Attempt {
        match (leadership.leader, route) {
            (Some(leader), Route::Anywhere) if leader != leadership.me => {
                self.attempt_there(leader, commands, until).await
            }
            (Some(_), _) => self.attempt_here(commands, route, until).await,
            (None, Route::LeaderOnly) => Attempt::Failed(ProposeError::NotLeader),
            (None, Route::Anywhere) => Attempt::Again,
        }
    }

    async fn attempt_here(&self, commands: Vec<Command>, route: Route, until: Instant) -> Attempt {
        let batch = Batch { at: now(), commands };
        let written = tokio::time::timeout_at(until, self.raft.client_write(batch)).await;
        match written {
            Ok(Ok(response)) => Attempt::Done(Committed {
                revision: revision_of(Some(&response.log_id)),
                outcomes: response.data.0,
            }),
            Ok(Err(RaftError::Fatal(error))) => {
                tracing::debug!(%error, "raft has stopped");
                Attempt::Failed(ProposeError::Stopped)
            }
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_))))
                if route == Route::Anywhere =>
            {
                Attempt::Again
            }
            Ok(Err(RaftError::APIError(_))) => Attempt::Failed(ProposeError::NotLeader),
            // The next round answers whoever is late.
            Err(_) => Attempt::Again,
        }
    }

    async fn attempt_there(&self, leader: ServerId, commands: Vec<Command>, until: Instant) -> Attempt {
        let limit = until.saturating_duration_since(Instant::now()).min(FORWARD_LIMIT);
        match forward(&self.network, leader, commands, limit).await {
            Ok(Ok(committed)) => Attempt::Done(committed),
            Ok(Err(Declined::TooLarge)) => Attempt::Failed(ProposeError::TooLarge { max: PROPOSAL_BYTES }),
            Ok(Err(Declined::NotLeader | Declined::Busy)) => Attempt::Again,
            Err(error) => {
                tracing::debug!(%leader, error = %federation_kit::exit::chain(&error), "leader did not answer");
                Attempt::Again
            }
        }
    }
}

/// Gives each proposal the outcomes of its own commands. A leader that answers with too few (another version) is
/// treated like one that did not answer.
fn answer_all(group: Vec<Proposal>, committed: Committed) {
    let mut outcomes = committed.outcomes.into_iter();
    for proposal in group {
        let wanted = proposal.commands.len();
        let own: Vec<_> = outcomes.by_ref().take(wanted).collect();
        let answer = if own.len() == wanted {
            Ok(Committed { revision: committed.revision, outcomes: own })
        } else {
            Err(ProposeError::NoLeader { waited: proposal.asked.elapsed() })
        };
        let _ = proposal.answer.send(answer);
    }
}
