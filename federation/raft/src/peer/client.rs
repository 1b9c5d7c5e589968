//! openraft's calls to another server, and writes handed to the leader.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use federation_model::ServerId;
use openraft::RPCTypes;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Timeout, Unreachable};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{AppendEntriesResponse, InstallSnapshotResponse, VoteResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::silence::Silence;
use super::transport::{Call, NoAnswer, Transport};
use super::wire::{
    About, Append, AppendAnswer, Ask, Ballot, BallotAnswer, Install, InstallAnswer, Manage, ManageAnswer,
    Propose, ProposeAnswer, TakeOver, TakeOverAnswer,
};
use crate::planted::{Bug, Planted};
use crate::store::codec::{CodecError, decode, encode};
use crate::store::durable::Durable;
use crate::types::{LogId, Member, Raft, Seat, TypeConfig, Vote};

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

/// The way to the other servers. Makes one [`Peer`] per target; cheap to clone.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) me: ServerId,
    /// As configured. They win over the addresses of the group's founding; those of members that were added later win.
    configured: Arc<BTreeMap<ServerId, Member>>,
    transport: Arc<dyn Transport>,
    /// Of this server's own log.
    durable: Durable,
    /// This server's own Raft, once it runs.
    raft: Arc<OnceLock<Raft>>,
    planted: Planted,
    /// Who does not answer.
    pub(crate) silence: Arc<Silence>,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &Seat) -> Peer {
        self.peer(ServerId(target), Some(node))
    }
}

impl Network {
    pub(crate) fn new(
        me: ServerId,
        configured: BTreeMap<ServerId, Member>,
        transport: Arc<dyn Transport>,
        durable: Durable,
    ) -> Self {
        Self {
            me,
            configured: Arc::new(configured),
            transport,
            durable,
            raft: Arc::default(),
            planted: Planted::default(),
            silence: Arc::default(),
        }
    }

    /// What is wrong with this server on purpose.
    pub(crate) fn planted(&self) -> Planted {
        self.planted
    }

    /// The same, with a defect.
    pub(crate) fn with(self, planted: Planted) -> Self {
        Self { planted, ..self }
    }

    /// Tells whose calls these are.
    pub(crate) fn serve(&self, raft: Raft) {
        // Set once, where the server starts.
        let _ = self.raft.set(raft);
    }

    /// Lets this server know of `higher` before the replication that heard of it does. That replication ends with what it
    /// heard; a leader that begins a snapshot on it before it has acted on the news takes the end for a failure of its
    /// store, and stops for good (openraft 0.9, `Command::Replicate`). So the leader steps down first. An append that
    /// cannot fit, since nothing is ever at its place, brings the vote and nothing else.
    async fn give_way(&self, higher: Vote) {
        let Some(raft) = self.raft.get() else { return };
        let prev_log_id = Some(LogId::new(higher.leader_id, u64::MAX));
        let news = Append { vote: higher, prev_log_id, entries: Vec::new(), leader_commit: None };
        if let Err(error) = raft.append_entries(news).await {
            tracing::debug!(%error, "raft has stopped before it could step down");
        }
    }

    /// The members of the configuration, this server among them.
    pub(crate) fn configured(&self) -> &BTreeMap<ServerId, Member> {
        &self.configured
    }

    /// Where `id` is, whose place in the group is `seat`.
    pub(crate) fn member(&self, id: ServerId, seat: &Seat) -> Member {
        seat.member(self.configured.get(&id))
    }

    fn peer(&self, target: ServerId, seat: Option<&Seat>) -> Peer {
        let at = seat.map(|seat| self.member(target, seat)).or_else(|| self.configured.get(&target).cloned());
        Peer { target, at, network: self.clone() }
    }

    /// Hands commands to `leader`. `seat`, here and below, is its place in the group; without one the configuration
    /// says where it is.
    pub(crate) async fn forward(
        &self,
        leader: ServerId,
        seat: Option<&Seat>,
        asked: Propose,
        limit: Duration,
    ) -> Result<ProposeAnswer, CallError> {
        self.peer(leader, seat).call(Call::Propose, &asked, limit).await
    }

    /// Asks what a server has.
    pub(crate) async fn about(
        &self,
        target: ServerId,
        seat: Option<&Seat>,
        limit: Duration,
    ) -> Result<About, CallError> {
        self.peer(target, seat).call(Call::About, &Ask {}, limit).await
    }

    /// Asks `leader` to change the members.
    pub(crate) async fn manage(
        &self,
        leader: ServerId,
        seat: Option<&Seat>,
        request: &Manage,
        limit: Duration,
    ) -> Result<ManageAnswer, CallError> {
        self.peer(leader, seat).call(Call::Manage, request, limit).await
    }

    /// Sends a member an append.
    pub(crate) async fn append(
        &self,
        target: ServerId,
        seat: Option<&Seat>,
        append: &Append,
        limit: Duration,
    ) -> Result<AppendAnswer, CallError> {
        self.peer(target, seat).call(Call::Append, append, limit).await
    }

    /// Asks a member to stand for election.
    pub(crate) async fn take_over(
        &self,
        target: ServerId,
        seat: Option<&Seat>,
        request: &TakeOver,
        limit: Duration,
    ) -> Result<TakeOverAnswer, CallError> {
        self.peer(target, seat).call(Call::TakeOver, request, limit).await
    }
}

/// Another server.
#[derive(Clone)]
pub(crate) struct Peer {
    target: ServerId,
    at: Option<Member>,
    network: Network,
}

impl Peer {
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        call: Call,
        question: &Q,
        limit: Duration,
    ) -> Result<A, CallError> {
        let payload = encode(question).map_err(CallError::Encode)?;
        let transport = &self.network.transport;
        let answer = transport.call(self.target, self.at.as_ref(), call, payload, limit).await;
        self.network.silence.note(self.target, answer.as_ref().err().map(|error| error as _));
        decode(&answer?).map_err(CallError::Answer)
    }

    /// A call of openraft's own. Everything but a timeout is `Unreachable`, so that openraft backs off: `Network`
    /// would be tried again at once, for ever.
    async fn ask<Q: Serialize, A: DeserializeOwned, E: std::error::Error + DeserializeOwned>(
        &self,
        call: Call,
        action: RPCTypes,
        question: &Q,
        option: &RPCOption,
    ) -> Result<A, RPCError<u64, Seat, RaftError<u64, E>>> {
        let answer: Result<Result<A, RaftError<u64, E>>, CallError> =
            self.call(call, question, option.hard_ttl()).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(remote)) => Err(RPCError::RemoteError(RemoteError::new(self.target.0, remote))),
            Err(CallError::NoAnswer(NoAnswer::Timeout(timeout))) => {
                let (id, target) = (self.network.me.0, self.target.0);
                Err(RPCError::Timeout(Timeout { action, id, target, timeout }))
            }
            Err(error) => Err(RPCError::Unreachable(Unreachable::new(&error))),
        }
    }
}

type Asked<A, E = openraft::error::Infallible> = Result<A, RPCError<u64, Seat, RaftError<u64, E>>>;

impl RaftNetwork<TypeConfig> for Peer {
    /// A follower must not hear that something is committed before it is on the disk here.
    async fn append_entries(&mut self, rpc: Append, option: RPCOption) -> Asked<AppendEntriesResponse<u64>> {
        if let Some(committed) =
            rpc.leader_commit.filter(|_| !self.network.planted.has(Bug::FollowersHearEarly))
        {
            let durable = self.network.durable.until(committed.index).await;
            durable.map_err(|error| RPCError::Unreachable(Unreachable::new(&error)))?;
        }
        let answer = self.ask(Call::Append, RPCTypes::AppendEntries, &rpc, &option).await;
        if let Ok(AppendEntriesResponse::HigherVote(higher)) = &answer {
            self.network.give_way(*higher).await;
        }
        answer
    }

    async fn vote(&mut self, rpc: Ballot, option: RPCOption) -> Asked<VoteResponse<u64>> {
        self.ask(Call::Vote, RPCTypes::Vote, &rpc, &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: Install,
        option: RPCOption,
    ) -> Asked<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        let answer: Asked<InstallSnapshotResponse<u64>, _> =
            self.ask(Call::Install, RPCTypes::InstallSnapshot, &rpc, &option).await;
        if let Ok(InstallSnapshotResponse { vote }) = &answer
            && *vote > rpc.vote
        {
            self.network.give_way(*vote).await;
        }
        answer
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(RETRY_UNREACHABLE))
    }
}

// The answers' types, so that client and server cannot drift apart.
const _: fn(AppendAnswer, BallotAnswer, InstallAnswer) = |_, _, _| ();
