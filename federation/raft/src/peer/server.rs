//! Answers the other servers.

use std::time::Duration;

use federation_api::raft::RaftMessage;
use federation_api::raft::raft_server::Raft as RaftRpc;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};

use super::wire::{Append, AppendAnswer, Ballot, BallotAnswer, Declined, Install, InstallAnswer, Propose};
use crate::node::propose::{ProposeError, Proposer, Route};
use crate::store::codec::{decode, encode};
use crate::types::Raft;

/// How long a forwarded write may take here. The follower that forwards asks again after that.
pub(crate) const FORWARD_LIMIT: Duration = Duration::from_secs(2);

/// The Raft port's service. Its callers were authenticated as servers of the clusterset by the handshake.
#[derive(Clone)]
pub(crate) struct RaftService {
    pub(crate) raft: Raft,
    pub(crate) proposer: Proposer,
}

fn read<T: DeserializeOwned>(request: Request<RaftMessage>) -> Result<T, Status> {
    decode(&request.into_inner().payload)
        .map_err(|error| Status::invalid_argument(federation_kit::exit::chain(&error).to_string()))
}

fn write<T: Serialize>(answer: &T) -> Result<Response<RaftMessage>, Status> {
    let payload =
        encode(answer).map_err(|error| Status::internal(federation_kit::exit::chain(&error).to_string()))?;
    Ok(Response::new(RaftMessage { payload }))
}

#[tonic::async_trait]
impl RaftRpc for RaftService {
    async fn append_entries(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let answer: AppendAnswer = self.raft.append_entries(read::<Append>(request)?).await;
        write(&answer)
    }

    async fn vote(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let answer: BallotAnswer = self.raft.vote(read::<Ballot>(request)?).await;
        write(&answer)
    }

    async fn install_snapshot(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let answer: InstallAnswer = self.raft.install_snapshot(read::<Install>(request)?).await;
        write(&answer)
    }

    async fn propose(&self, request: Request<RaftMessage>) -> Result<Response<RaftMessage>, Status> {
        let Propose { commands } = read(request)?;
        let answer = self.proposer.propose(commands, Route::LeaderOnly, FORWARD_LIMIT).await;
        let declined = |error| match error {
            ProposeError::Busy => Declined::Busy,
            ProposeError::TooLarge { .. } => Declined::TooLarge,
            ProposeError::NoLeader { .. } | ProposeError::NotLeader | ProposeError::Stopped => {
                Declined::NotLeader
            }
        };
        write(&answer.map_err(declined))
    }
}
