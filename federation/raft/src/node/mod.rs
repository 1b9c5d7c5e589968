//! One server of the group: storage, transport, group commit and the leader's chores, started and stopped together.

mod clock;
mod clusterset_clock;
mod commit;
mod config;
pub(crate) mod fair;
mod leases;
pub(crate) mod membership;
pub(crate) mod propose;
mod room;
mod seams;
pub(crate) mod standing;
mod status;
pub(crate) mod time;
mod timing;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation_api::raft::raft_server::RaftServer;
use federation_kit::drain::{self, DrainTrigger, DrainWatcher};
use federation_kit::tasks::Tasks;
use federation_model::state::Changes;
use federation_model::{Command, Revision, ServerId, State, UnixMillis};
use openraft::RaftMetrics;
use tokio::sync::watch;

pub use self::clock::Clock;
pub use self::config::{NodeConfig, RaftFailure, StartError};
pub use self::membership::{Managed, MembershipError};
pub use self::propose::ProposeError;
pub use self::room::{DiskRoom, Space};
pub use self::seams::{PeerPort, Seams};
pub use self::standing::{Standing, Waiting};
pub use self::status::{Leadership, MemberRole, MemberStatus, NodeStatus};
pub use self::timing::Timing;

use self::commit::{Committer, Writer};
use self::fair::Origin;
use self::membership::Manager;
use self::propose::{Proposer, Route};
use self::seams::Parts;
use self::standing::Gate;
use self::time::Time;
use crate::peer::MAX_PEER_MESSAGE_BYTES;
use crate::peer::client::Network;
use crate::peer::listener::PeerListener;
use crate::peer::pool::Peers;
use crate::peer::server::RaftService;
use crate::peer::wire::Committed;
use crate::planted::Planted;
use crate::store::catalogue::Catalogue;
use crate::store::db::Db;
use crate::store::identity::StoreIdentity;
use crate::store::open::{Store, open};
use crate::types::{Raft, node_id, revision_of};

/// Changes kept for watchers that fell behind; one that is further behind gets a snapshot.
const CHANGES: usize = 65_536;
/// How long a write may wait for a leader.
const PROPOSE_LIMIT: Duration = Duration::from_secs(10);
/// How long tasks may take to end at shutdown.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// A running server. Cheap to clone; all clones are the same server.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    id: ServerId,
    raft: Raft,
    catalogue: Arc<Catalogue>,
    time: Time,
    network: Network,
    manager: Manager,
    leadership: watch::Receiver<Leadership>,
    standing: watch::Receiver<Standing>,
    room: watch::Receiver<DiskRoom>,
    tasks: Tasks,
    /// Taken at shutdown, so that nothing proposes, serves or holds the data directory any more.
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    proposer: Proposer,
    drain: DrainTrigger,
    db: Db,
}

impl Node {
    /// Opens the data directory and takes part in the group. Where the directory is empty, the others are asked first
    /// whether there is a group; this server may have to found it, or to wait ([`Node::standing`]).
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        let NodeConfig { id, clusterset, data_dir, members, join, identity, bundles, listener, .. } = config;
        let store = StoreIdentity { clusterset: clusterset.clone(), server: id };
        if !members.contains_key(&id) {
            return Err(StartError::NotAMember(id));
        }
        let store = open(data_dir, store, members.clone(), CHANGES, &config.metrics).await?;
        let peers = Peers::new(clusterset.clone(), identity, bundles);
        let parts = Parts {
            id,
            clusterset,
            members,
            join,
            store,
            transport: Arc::new(peers),
            timing: config.timing,
            clock: config.clock,
            space: config.space,
            metrics: config.metrics,
            planted: Planted::default(),
        };
        let (node, service, drain) = Self::assemble(parts).await?;
        node.inner.tasks.spawn_fallible("raft port", serve(listener, service, drain));
        Ok(node)
    }

    /// Starts over seams that are not the real ones. Calls of the other servers are handed to the second result.
    pub async fn start_on(seams: Seams) -> Result<(Self, PeerPort), StartError> {
        let (node, service, _drain) = Self::assemble(seams.open()?).await?;
        Ok((node, PeerPort(service)))
    }

    async fn assemble(parts: Parts) -> Result<(Self, RaftService, DrainWatcher), StartError> {
        let Parts { id, clusterset, members, join, store, transport, timing, clock, space, metrics, planted } =
            parts;
        let Store { db, id: store, log, machine, catalogue, replayed } = store;
        let raft_config = timing.config(clusterset.as_str()).map_err(StartError::Timing)?;
        let founders = if join { BTreeSet::new() } else { members.keys().copied().collect() };
        let network = Network::new(id, members, transport, db.durable()).with(planted);
        let raft = Raft::new(node_id(id), Arc::new(raft_config), network.clone(), log, machine)
            .await
            .map_err(|error| StartError::Raft(RaftFailure(error.to_string())))?;
        network.serve(raft.clone());
        let gate = Gate::new(&raft, store, founders).await?;

        let tasks = Tasks::new();
        let (drain, watcher) = drain::channel();
        let (leader_is, leadership) = watch::channel(Leadership { me: id, term: 0, leader: None });
        let (proposer, waiting) = Proposer::new();
        let time = Time::new(clock, Arc::clone(&catalogue), replayed);
        let (hold, held) = watch::channel(false);
        let manager = Manager::new(raft.clone(), network.clone(), leadership.clone(), hold);
        let (room_is, room) = watch::channel(DiskRoom::default());
        let writer = Writer {
            raft: raft.clone(),
            network: network.clone(),
            leadership: leadership.clone(),
            held,
            time: time.clone(),
            room: room.clone(),
            metrics,
        };
        tasks.spawn("raft leadership", follow_leadership(raft.clone(), leader_is));
        tasks.spawn("raft commit", Committer::new(writer, waiting).run());
        let leases = leases::run(Arc::clone(&catalogue), proposer.clone(), leadership.clone(), time.clone());
        tasks.spawn("raft leases", leases);
        let watched = room::run(space, room_is, raft.clone(), manager.clone(), leadership.clone());
        tasks.spawn("raft room", watched);
        tasks.spawn("raft members", manager.clone().keep_finished());
        let (standing, settling) = (gate.standing(), gate.clone().settle(raft.clone(), network.clone()));
        tasks.spawn_fallible("raft standing", settling);
        let service = RaftService {
            me: id,
            raft: raft.clone(),
            proposer: proposer.clone(),
            gate,
            manager: manager.clone(),
            room: room.clone(),
        };

        let running = Mutex::new(Some(Running { proposer, drain, db }));
        let inner =
            Inner { id, raft, catalogue, time, network, manager, leadership, standing, room, tasks, running };
        Ok((Self { inner: Arc::new(inner) }, service, watcher))
    }

    /// Which server this is.
    #[must_use]
    pub fn id(&self) -> ServerId {
        self.inner.id
    }

    /// Commits `commands` in one entry, whichever server leads, and waits until they are on disk on a quorum. Whoever
    /// may ask for them was checked before.
    ///
    /// # Errors
    /// When there is no leader for ten seconds, too much is waiting, or this server stops. A rejected command is not
    /// an error but an outcome.
    pub async fn propose(&self, commands: Vec<Command>) -> Result<Committed, ProposeError> {
        let proposer = self.running(|running| running.proposer.clone()).ok_or(ProposeError::Stopped)?;
        proposer.propose(Origin::of(&commands), commands, Route::Anywhere, PROPOSE_LIMIT).await
    }

    /// Reads the applied state and its recent changes, at one revision. The closure must be short and must not block.
    pub fn read<T>(&self, reader: impl FnOnce(&State, &Changes) -> T) -> T {
        self.inner.catalogue.read(reader)
    }

    /// The last applied revision, as a thing to wait on.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<Revision> {
        self.inner.catalogue.applied()
    }

    /// The last revision that changed a piece of the catalogue, as a thing to wait on: most entries only renew leases.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<Revision> {
        self.inner.catalogue.news()
    }

    /// Waits until this server has applied `revision`; false if it did not within `limit`.
    pub async fn wait_applied(&self, revision: Revision, limit: Duration) -> bool {
        let mut applied = self.applied();
        tokio::time::timeout(limit, applied.wait_for(|seen| *seen >= revision)).await.is_ok_and(|w| w.is_ok())
    }

    /// The clusterset's time when the last applied batch was proposed; zero before any.
    #[must_use]
    pub fn last_batch_at(&self) -> UnixMillis {
        self.inner.catalogue.last_batch().map_or(UnixMillis(0), |last| last.at)
    }

    /// The clusterset's time now, as far as this server can say: no step of its wall clock is in it.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.inner.time.now()
    }

    /// Who leads, as a thing to wait on.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Whether this server takes part, as a thing to wait on.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.inner.standing.clone()
    }

    /// What is known of the room on the disk, as a thing to wait on.
    #[must_use]
    pub fn room(&self) -> watch::Receiver<DiskRoom> {
        self.inner.room.clone()
    }

    /// What this server says of itself.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        let metrics = self.inner.raft.metrics().borrow().clone();
        let leadership = self.inner.leadership.borrow().clone();
        let membership = Arc::clone(&metrics.membership_config);
        let voters: Vec<u64> = membership.voter_ids().collect();
        let members = membership.nodes().map(|(id, seat)| MemberStatus {
            id: ServerId(*id),
            member: self.inner.network.member(ServerId(*id), seat),
            role: match leadership.leader {
                Some(leader) if leader.0 == *id => MemberRole::Leader,
                _ if voters.contains(id) => MemberRole::Follower,
                _ => MemberRole::Learner,
            },
            matched: metrics.replication.as_ref().and_then(|all| all.get(id)?.map(|log_id| log_id.index)),
        });
        NodeStatus {
            revision: *self.applied().borrow(),
            last_log_index: metrics.last_log_index.unwrap_or(0),
            snapshot_index: revision_of(metrics.snapshot.as_ref()).0,
            quorum_millis: metrics.millis_since_quorum_ack,
            disk_bytes: self.running(|running| running.db.size_on_disk()).unwrap_or(0),
            members: members.collect(),
            leadership,
        }
    }

    /// Waits until this server can no longer take part: Raft or one of its tasks failed. The process should end.
    pub async fn failed(&self) -> RaftFailure {
        let mut metrics = self.inner.raft.metrics();
        let raft = async {
            let text = match metrics.wait_for(|seen| seen.running_state.is_err()).await.as_deref() {
                Ok(RaftMetrics { running_state: Err(error), .. }) => error.to_string(),
                _ => "raft has stopped".to_owned(),
            };
            RaftFailure(text)
        };
        tokio::select! {
            failure = raft => failure,
            task = self.inner.tasks.failed() => RaftFailure(task.to_string()),
        }
    }

    /// Leaves the group without a word, as a crash would, but with everything on disk and every task ended. A second
    /// call does nothing.
    pub async fn shutdown(&self) {
        let taken = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { proposer, drain, db }) = taken else { return };
        drop(proposer);
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::error!(%error, "raft panicked");
        }
        drain.drain(STOP_GRACE).await;
        self.inner.tasks.stop(STOP_GRACE).await;
        if let Err(error) = db.flush().await {
            tracing::error!(error = %federation_kit::exit::chain(&error), "last flush failed");
        }
    }

    fn running<T>(&self, reader: impl FnOnce(&Running) -> T) -> Option<T> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(reader)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.inner.id).finish_non_exhaustive()
    }
}

/// Publishes who leads until Raft stops.
async fn follow_leadership(raft: Raft, leader_is: watch::Sender<Leadership>) {
    let mut metrics = raft.server_metrics();
    loop {
        let seen = {
            let metrics = metrics.borrow_and_update();
            (metrics.vote.leader_id().get_term(), metrics.current_leader.map(ServerId))
        };
        leader_is.send_if_modified(|present| {
            let next = Leadership { me: present.me, term: seen.0, leader: seen.1 };
            let changed = *present != next;
            *present = next;
            changed
        });
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(
    listener: PeerListener,
    service: RaftService,
    drain: DrainWatcher,
) -> Result<(), tonic::transport::Error> {
    let service = RaftServer::new(service)
        .max_decoding_message_size(MAX_PEER_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_PEER_MESSAGE_BYTES);
    tokio::select! {
        served = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(listener.incoming, drain.signalled()) => served,
        () = drain.forced() => Ok(()),
    }
}

#[cfg(test)]
mod tests;
