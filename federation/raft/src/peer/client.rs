//! openraft's calls to another server, and writes handed to the leader.

use std::sync::Arc;
use std::time::Duration;

use federation_model::ServerId;
use openraft::RPCTypes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Timeout, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesResponse, InstallSnapshotResponse, VoteResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::transport::{Call, NoAnswer, Transport};
use super::wire::{
    Append, AppendAnswer, Ballot, BallotAnswer, Install, InstallAnswer, Propose, ProposeAnswer,
};
use crate::store::codec::{CodecError, decode, encode};
use crate::store::durable::Durable;
use crate::types::{Member, TypeConfig};

/// How long openraft waits before it tries an unreachable server again.
const RETRY_UNREACHABLE: Duration = Duration::from_millis(300);

/// Why a call to another server brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("message cannot be encoded")]
    Encode(#[source] CodecError),
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("answer cannot be read")]
    Answer(#[source] CodecError),
}

/// Makes one [`Peer`] per target.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) me: ServerId,
    pub(crate) transport: Arc<dyn Transport>,
    /// Of this server's own log.
    pub(crate) durable: Durable,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &Member) -> Peer {
        let known = Some(node.clone());
        Peer {
            me: self.me,
            target: ServerId(target),
            known,
            transport: Arc::clone(&self.transport),
            durable: self.durable.clone(),
        }
    }
}

/// Another server.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    me: ServerId,
    target: ServerId,
    known: Option<Member>,
    transport: Arc<dyn Transport>,
    durable: Durable,
}

impl Peer {
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: Call,
        question: &Q,
        limit: Duration,
    ) -> Result<A, CallError> {
        let payload = encode(question).map_err(CallError::Encode)?;
        let answer = self.transport.call(self.target, self.known.as_ref(), call, payload, limit).await?;
        decode(&answer).map_err(CallError::Answer)
    }

    /// A call of openraft's own. Everything but a timeout is `Unreachable`, so that openraft backs off: `Network`
    /// would be tried again at once, for ever.
    async fn ask<Q: Serialize, A: DeserializeOwned, E: std::error::Error + DeserializeOwned>(
        &self,
        call: Call,
        action: RPCTypes,
        question: &Q,
        option: &RPCOption,
    ) -> Result<A, RPCError<u64, Member, RaftError<u64, E>>> {
        let answer: Result<Result<A, RaftError<u64, E>>, CallError> =
            self.call(call, question, option.hard_ttl()).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(remote)) => Err(RPCError::RemoteError(RemoteError::new(self.target.0, remote))),
            Err(CallError::NoAnswer(NoAnswer::Timeout(timeout))) => {
                let (id, target) = (self.me.0, self.target.0);
                Err(RPCError::Timeout(Timeout { action, id, target, timeout }))
            }
            Err(error) => Err(RPCError::Unreachable(Unreachable::new(&error))),
        }
    }
}

type Asked<A, E = openraft::error::Infallible> = Result<A, RPCError<u64, Member, RaftError<u64, E>>>;

impl RaftNetwork<TypeConfig> for Peer {
    /// A follower must not hear that something is committed before it is on the disk here.
    async fn append_entries(&mut self, rpc: Append, option: RPCOption) -> Asked<AppendEntriesResponse<u64>> {
        if let Some(committed) = rpc.leader_commit {
            let durable = self.durable.until(committed.index).await;
            durable.map_err(|error| RPCError::Unreachable(Unreachable::new(&error)))?;
        }
        self.ask(Call::Append, RPCTypes::AppendEntries, &rpc, &option).await
    }

    async fn vote(&mut self, rpc: Ballot, option: RPCOption) -> Asked<VoteResponse<u64>> {
        self.ask(Call::Vote, RPCTypes::Vote, &rpc, &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: Install,
        option: RPCOption,
    ) -> Asked<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask(Call::Install, RPCTypes::InstallSnapshot, &rpc, &option).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY_UNREACHABLE))
    }
}

/// Hands commands to `leader`.
pub(crate) async fn forward(
    network: &Network,
    leader: ServerId,
    asked: Propose,
    limit: Duration,
) -> Result<ProposeAnswer, CallError> {
    let (transport, durable) = (Arc::clone(&network.transport), network.durable.clone());
    let peer = Peer { me: network.me, target: leader, known: None, transport, durable };
    peer.call(Call::Propose, &asked, limit).await
}

// The answers' types, so that client and server cannot drift apart.
const _: fn(AppendAnswer, BallotAnswer, InstallAnswer) = |_, _, _| ();
