//! Group commit: whatever waits while as many entries are being written as may be becomes the next entry.
//!
//! A few entries are on their way at once, so that the disk of one server, the network and the disk of another work at
//! the same time. Proposals of one caller that do not wait for each other may be committed in any order.
//!
//! Whoever asks for much waits for himself: proposals wait by origin, origins take turns, and none is in more than a part of
//! what is on its way. A follower tells the leader whom each part of what it hands over is for.
//!
//! Commands are proposed at least once, not exactly once: an answer that is lost with its leader is asked for again.
//! Every command is therefore idempotent (see `federation_model::Command`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use federation_model::{Batch, Command, ServerId};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use openraft::error::{ClientWriteError, RaftError};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::fair::{FairQueue, Origin, Room};
use super::propose::{PROPOSAL_BYTES, Proposal, ProposeError, QUEUE, Route};
use super::time::Time;
use super::{DiskRoom, Leadership};
use crate::metrics::Metrics;
use crate::peer::client::Network;
use crate::peer::server::FORWARD_LIMIT;
use crate::peer::wire::{Committed, Declined, Part, Propose};
use crate::types::{Raft, node_id, revision_of};

/// Largest entry, in encoded bytes, unless one proposal alone is larger.
const ENTRY_BYTES: usize = 1024 * 1024;
/// Share of one origin in an entry, in encoded bytes, unless one proposal alone is larger.
const SHARE_BYTES: usize = 64 * 1024;
/// Entries on their way at once. More would be smaller.
const IN_FLIGHT: usize = 4;
/// Those of them that hold something of one origin: the others are free for its neighbours.
const IN_FLIGHT_EACH: usize = 2;
/// How long to wait before asking again when the leader is known and does not answer.
const RETRY: Duration = Duration::from_millis(50);

/// The one task that writes.
pub(super) struct Committer {
    writer: Writer,
    waiting: mpsc::Receiver<Proposal>,
    /// What may be forwarded, and what may not: they do not mix in an entry.
    forwardable: FairQueue<Proposal>,
    local: FairQueue<Proposal>,
    /// Which of the two is next.
    local_next: bool,
    /// How many entries on their way hold something of an origin.
    under_way: BTreeMap<Origin, usize>,
}

/// Where entries go.
#[derive(Clone)]
pub(super) struct Writer {
    pub(super) raft: Raft,
    pub(super) network: Network,
    pub(super) leadership: watch::Receiver<Leadership>,
    /// While true, this server hands over and begins no entry.
    pub(super) held: watch::Receiver<bool>,
    pub(super) time: Time,
    /// Without room, this server commits nothing as leader.
    pub(super) room: watch::Receiver<DiskRoom>,
    pub(super) metrics: Metrics,
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
    pub(super) fn new(writer: Writer, waiting: mpsc::Receiver<Proposal>) -> Self {
        Self {
            writer,
            waiting,
            forwardable: FairQueue::new(),
            local: FairQueue::new(),
            local_next: false,
            under_way: BTreeMap::new(),
        }
    }

    /// Commits until every `Proposer` is gone.
    pub(super) async fn run(mut self) {
        let mut writing = FuturesUnordered::new();
        let mut open = true;
        while open || !writing.is_empty() || self.backlog() > 0 {
            while writing.len() < IN_FLIGHT {
                let (origins, group) = self.next_group();
                if group.is_empty() {
                    break;
                }
                let writer = self.writer.clone();
                writing.push(async move {
                    writer.commit(group).await;
                    origins
                });
            }
            tokio::select! {
                // What was asked for goes out before anything else is taken in.
                biased;
                Some(origins) = writing.next() => self.arrived(origins),
                first = self.waiting.recv(), if open && self.backlog() < QUEUE => match first {
                    Some(first) => self.take(first),
                    None => open = false,
                },
            }
        }
    }

    fn backlog(&self) -> usize {
        self.forwardable.len().saturating_add(self.local.len())
    }

    /// Takes one, and whatever else waits already.
    fn take(&mut self, first: Proposal) {
        self.line_up(first);
        while self.backlog() < QUEUE
            && let Ok(more) = self.waiting.try_recv()
        {
            self.line_up(more);
        }
    }

    fn line_up(&mut self, proposal: Proposal) {
        let queue = match proposal.route {
            Route::Anywhere => &mut self.forwardable,
            Route::LeaderOnly => &mut self.local,
        };
        if let Err(proposal) = queue.push(proposal.origin.clone(), proposal) {
            // Whoever asked may have left; so be it, here and below.
            let _ = proposal.answer.send(Err(ProposeError::Busy));
        }
    }

    /// The next entry, and whom it is for; empty if nobody waits who may go.
    fn next_group(&mut self) -> (BTreeSet<Origin>, Vec<Proposal>) {
        let Self { forwardable, local, under_way, .. } = self;
        let room = Room { all: ENTRY_BYTES, each: SHARE_BYTES };
        let may = |origin: &Origin| under_way.get(origin).is_none_or(|entries| *entries < IN_FLIGHT_EACH);
        let mut queues = [forwardable, local];
        if self.local_next {
            queues.reverse();
        }
        let mut group = Vec::new();
        for queue in queues {
            if group.is_empty() {
                group = queue.take(room, |proposal| proposal.bytes, may);
            }
        }
        self.local_next = !self.local_next;
        let origins: BTreeSet<Origin> = group.iter().map(|(origin, _)| origin.clone()).collect();
        for origin in &origins {
            *under_way.entry(origin.clone()).or_default() += 1;
        }
        (origins, group.into_iter().map(|(_, proposal)| proposal).collect())
    }

    fn arrived(&mut self, origins: BTreeSet<Origin>) {
        for origin in origins {
            if let Some(entries) = self.under_way.get_mut(&origin) {
                *entries = entries.saturating_sub(1);
                if *entries == 0 {
                    self.under_way.remove(&origin);
                }
            }
        }
    }
}

impl Writer {
    async fn commit(mut self, mut group: Vec<Proposal>) {
        loop {
            let now = Instant::now();
            let (live, late): (Vec<_>, Vec<_>) = group.into_iter().partition(|p| p.deadline > now);
            for proposal in late {
                let waited = now.saturating_duration_since(proposal.asked);
                let _ = proposal.answer.send(Err(ProposeError::NoLeader { waited }));
            }
            group = live;
            let (Some(route), Some(until)) =
                (group.first().map(|p| p.route), group.iter().map(|p| p.deadline).min())
            else {
                return;
            };
            let commands: Vec<Command> = group.iter().flat_map(|p| p.commands.iter().cloned()).collect();
            let parts =
                group.iter().map(|p| Part { origin: p.origin.clone(), commands: p.commands.len() }).collect();
            let asked = Propose { commands, parts };
            let leadership = self.leadership.borrow_and_update().clone();
            match self.attempt(&leadership, asked, route, until).await {
                Attempt::Done(committed) => return answer_all(group, committed),
                Attempt::Failed(error) => {
                    for proposal in group {
                        let _ = proposal.answer.send(Err(error.clone()));
                    }
                    return;
                }
                Attempt::Again => {
                    let pause = RETRY.min(until.saturating_duration_since(Instant::now()));
                    // A new leader ends the pause. A closed channel means that this server stops: there would be no
                    // pause any more, and nothing to hope for.
                    if let Ok(Err(_)) = tokio::time::timeout(pause, self.leadership.changed()).await {
                        for proposal in group {
                            let _ = proposal.answer.send(Err(ProposeError::Stopped));
                        }
                        return;
                    }
                }
            }
        }
    }

    async fn attempt(
        &self,
        leadership: &Leadership,
        asked: Propose,
        route: Route,
        until: Instant,
    ) -> Attempt {
        let held = leadership.is_leader() && *self.held.borrow();
        match (leadership.leader.filter(|_| !held), route) {
            (Some(leader), Route::Anywhere) if leader != leadership.me => {
                self.attempt_there(leader, asked, until).await
            }
            (Some(_), _) if self.room.borrow().low => Attempt::Failed(ProposeError::DiskFull),
            (Some(_), _) => self.attempt_here(asked.commands, route, until).await,
            (None, Route::LeaderOnly) => Attempt::Failed(ProposeError::NotLeader),
            (None, Route::Anywhere) => Attempt::Again,
        }
    }

    async fn attempt_here(&self, commands: Vec<Command>, route: Route, until: Instant) -> Attempt {
        let batch = Arc::new(Batch { at: self.time.stamp(), commands });
        let begun = Instant::now();
        let written = tokio::time::timeout_at(until, self.raft.client_write(batch)).await;
        if let Ok(Ok(response)) = &written {
            self.metrics.commit.observe(begun.elapsed().as_secs_f64());
            self.metrics.changes.inc_by(response.data.0.len() as u64);
        }
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

    async fn attempt_there(&self, leader: ServerId, asked: Propose, until: Instant) -> Attempt {
        let limit = until.saturating_duration_since(Instant::now()).min(FORWARD_LIMIT);
        let metrics = self.raft.server_metrics();
        let seat = metrics.borrow().membership_config.membership().get_node(&node_id(leader)).cloned();
        let mut leadership = self.leadership.clone();
        let other = leadership.wait_for(|seen| seen.leader.is_some_and(|now| now != leader));
        let answer = tokio::select! {
            // An answer that is there counts, whoever leads now.
            biased;
            answer = self.network.forward(leader, seat.as_ref(), asked, limit) => answer,
            // One that died does not say so; nobody waits for it once another one leads.
            _ = other => return Attempt::Again,
        };
        match answer {
            Ok(Ok(committed)) => Attempt::Done(committed),
            Ok(Err(Declined::TooLarge)) => Attempt::Failed(ProposeError::TooLarge { max: PROPOSAL_BYTES }),
            Ok(Err(Declined::DiskFull)) => Attempt::Failed(ProposeError::DiskFull),
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
