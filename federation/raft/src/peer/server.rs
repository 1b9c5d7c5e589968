//! Answers the other servers.

use std::time::Duration;

use federation_api::raft::RaftMessage;
use federation_api::raft::raft_server::Raft as RaftRpc;
use federation_kit::exit::chain;
use federation_model::ServerId;
use futures::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::transport::Call;
use super::wire::{
    Append, AppendAnswer, Ask, Ballot, BallotAnswer, Committed, Declined, Install, InstallAnswer, Manage,
    ManageAnswer, Propose, TakeOver, TakeOverAnswer,
};
use crate::node::DiskRoom;
use crate::node::membership::Manager;
use crate::node::propose::{ProposeError, Proposer, Route};
use crate::node::standing::{Gate, Standing};
use crate::store::codec::{CodecError, decode, encode};
use crate::types::{Raft, Vote, node_id};

/// How long a forwarded write may take here. The follower that forwards asks again after that.
pub(crate) const FORWARD_LIMIT: Duration = Duration::from_secs(2);

/// The Raft port's service. Its callers were authenticated as servers of the clusterset by the handshake.
#[derive(Clone)]
pub(crate) struct RaftService {
    pub(crate) me: ServerId,
    pub(crate) raft: Raft,
    pub(crate) proposer: Proposer,
    pub(crate) gate: Gate,
    pub(crate) manager: Manager,
    pub(crate) room: watch::Receiver<DiskRoom>,
}

/// Why a call is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("message cannot be read")]
    Question(#[source] CodecError),
    #[error("answer cannot be encoded")]
    Answer(#[source] CodecError),
    #[error("server {0} does not take part: {1}")]
    Outside(ServerId, Standing),
    #[error("server {0} has no room on its disk")]
    Full(ServerId),
    #[error("raft has stopped")]
    Stopped,
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, Unanswered> {
    decode(payload).map_err(Unanswered::Question)
}

fn write<T: Serialize>(answer: &T) -> Result<Vec<u8>, Unanswered> {
    encode(answer).map_err(Unanswered::Answer)
}

impl RaftService {
    /// Answers one call.
    pub(crate) async fn answer(&self, call: Call, payload: &[u8]) -> Result<Vec<u8>, Unanswered> {
        if matches!(call, Call::Append | Call::Vote | Call::Install | Call::TakeOver) {
            // A server that does not take part must neither vote nor acknowledge anything.
            let admitted = self.gate.admitted().await;
            admitted.map_err(|standing| Unanswered::Outside(self.me, standing))?;
        }
        match call {
            Call::Append => {
                let mut append = read::<Append>(payload)?;
                let full = if append.entries.is_empty() { Ok(()) } else { self.room() };
                if full.is_err() {
                    // Who leads, and what is committed, is news that takes no room.
                    append.entries.clear();
                }
                let answer: AppendAnswer = self.raft.append_entries(append).await;
                full?;
                write(&answer)
            }
            Call::Vote => {
                let answer: BallotAnswer = self.raft.vote(read::<Ballot>(payload)?).await;
                write(&answer)
            }
            Call::Install => {
                self.room()?;
                let answer: InstallAnswer = self.raft.install_snapshot(read::<Install>(payload)?).await;
                write(&answer)
            }
            Call::Propose => {
                let answer = self.propose(read::<Propose>(payload)?).await;
                write(&answer.map_err(|error| declined(&error)))
            }
            Call::About => {
                let Ask {} = read(payload)?;
                write(&self.gate.about(&self.raft).await.ok_or(Unanswered::Stopped)?)
            }
            Call::Manage => {
                let answer: ManageAnswer = self.manager.here(read::<Manage>(payload)?).await;
                write(&answer)
            }
            Call::TakeOver => write(&self.take_over(read::<TakeOver>(payload)?.vote).await?),
        }
    }

    /// Each part waits in the line of its origin; all are committed before any of them is answered.
    async fn propose(&self, asked: Propose) -> Result<Committed, ProposeError> {
        let proposals = asked.split().into_iter().map(|(origin, commands)| {
            self.proposer.propose(origin, commands, Route::LeaderOnly, FORWARD_LIMIT)
        });
        let parts: Vec<Committed> = join_all(proposals).await.into_iter().collect::<Result<_, _>>()?;
        Ok(Committed {
            revision: parts.iter().map(|part| part.revision).max().unwrap_or_default(),
            outcomes: parts.into_iter().flat_map(|part| part.outcomes).collect(),
        })
    }

    /// To the leader a server without room is one that is down. Heartbeats still reach it, and what was committed.
    fn room(&self) -> Result<(), Unanswered> {
        if self.room.borrow().low { Err(Unanswered::Full(self.me)) } else { Ok(()) }
    }

    async fn take_over(&self, vote: Vote) -> Result<TakeOverAnswer, Unanswered> {
        self.room()?;
        let present = self.raft.metrics().borrow().vote;
        if present > vote || vote.leader_id.node_id != node_id(self.me) {
            return Ok(TakeOverAnswer::Late);
        }
        self.raft.trigger().elect().await.map_err(|_| Unanswered::Stopped)?;
        Ok(TakeOverAnswer::Stands)
    }

    async fn serve(
        &self,
        call: Call,
        request: Request<RaftMessage>,
    ) -> Result<Response<RaftMessage>, Status> {
        match self.answer(call, &request.into_inner().payload).await {
            Ok(payload) => Ok(Response::new(RaftMessage { payload })),
            Err(error @ Unanswered::Question(_)) => Err(Status::invalid_argument(chain(&error).to_string())),
            Err(error @ Unanswered::Answer(_)) => Err(Status::internal(chain(&error).to_string())),
            Err(error @ Unanswered::Outside(..)) => Err(Status::failed_precondition(error.to_string())),
            Err(error @ Unanswered::Full(_)) => Err(Status::resource_exhausted(error.to_string())),
            Err(error @ Unanswered::Stopped) => Err(Status::unavailable(error.to_string())),
        }
    }
}

fn declined(error: &ProposeError) -> Declined {
    match error {
        ProposeError::Busy => Declined::Busy,
        ProposeError::DiskFull => Declined::DiskFull,
        ProposeError::TooLarge { .. } => Declined::TooLarge,
        ProposeError::NoLeader { .. } | ProposeError::NotLeader | ProposeError::Stopped => {
            Declined::NotLeader
        }
    }
}

#[tonic::async_trait]
impl RaftRpc for RaftService {
    async fn append_entries(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::Append, request).await
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::Vote, request).await
    }

    async fn install_snapshot(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::Install, request).await
    }

    async fn propose(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::Propose, request).await
    }

    async fn about(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::About, request).await
    }

    async fn manage(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::Manage, request).await
    }

    async fn take_over(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        self.serve(Call::TakeOver, request).await
    }
}
