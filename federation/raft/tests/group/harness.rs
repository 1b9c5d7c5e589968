//! Servers of one test: their certificates, addresses and data directories.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use federation_api::raft::RaftMessage;
use federation_api::raft::raft_client::RaftClient;
use federation_kit::grpc::{HandshakeMetrics, connect_tls};
use federation_kit::testing::eventually;
use federation_model::backup::RESTORE_FILE;
use federation_model::command::Registration;
use federation_model::{Bundle, ClusterId, Command, ServerId, SpiffeId, TrustDomain};
use federation_raft::{Clock, Member, Metrics, Node, NodeConfig, PeerListener, Space, StartError, Timing};
use federation_trust::authorize::Anyone;
use federation_trust::csr::verified_key;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{
    Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity, infra,
};
use rustls::pki_types::ServerName;
use tonic::{Response, Status};

/// What must be free on a server's disk.
pub(crate) const LEAST_FREE: u64 = 1_000;
/// Only bounds how long a broken test hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Group {
    clusterset: TrustDomain,
    authority: Authority,
    bundles: SharedBundles,
    /// Everybody who was ever started, where they were last.
    members: BTreeMap<ServerId, Member>,
    /// The servers that found the group; the others join.
    founders: BTreeSet<ServerId>,
    nodes: BTreeMap<ServerId, Node>,
    dir: tempfile::TempDir,
    timing: Timing,
    /// By how many milliseconds the wall clocks of all servers are wrong.
    pub(crate) wrong_by: Arc<AtomicU64>,
    /// What is free on each server's disk.
    free: BTreeMap<ServerId, Arc<AtomicU64>>,
}

/// Who else may try the Raft port.
#[derive(Debug)]
pub(crate) enum Stranger {
    Agent,
    ForeignServer,
    Anonymous,
    Server,
}

fn lifetime() -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600))
}

fn identity(authority: &Authority, id: &SpiffeId) -> SharedIdentity {
    let key = PrivateKey::generate().unwrap();
    let csr = verified_key(&key.csr().unwrap().0).unwrap();
    let chain = authority.issue(&csr, id, lifetime()).unwrap();
    SharedIdentity::new(Identity::new(chain, &key).unwrap())
}

pub(crate) fn registration(cluster: &ClusterId) -> Command {
    Command::RegisterCluster(Registration {
        cluster: cluster.clone(),
        instance: "0".repeat(32).parse().unwrap(),
        network: "n".parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: format!("{cluster}.lab").parse().unwrap(),
        gateways: Vec::new(),
    })
}

impl Group {
    pub(crate) async fn start(servers: u64) -> Self {
        Self::with_snapshots_every(servers, Timing::default().snapshot_every).await
    }

    pub(crate) async fn with_snapshots_every(servers: u64, snapshot_every: u64) -> Self {
        Self::make(servers, Timing { snapshot_every, ..Timing::default() }, None).await
    }

    /// New servers, each with a backup in its empty directory.
    pub(crate) async fn founded_with(servers: u64, backup: &[u8]) -> Self {
        Self::make(servers, Timing::default(), Some(backup)).await
    }

    async fn make(servers: u64, timing: Timing, backup: Option<&[u8]>) -> Self {
        let clusterset: TrustDomain = "lab".parse().unwrap();
        let authority = Authority::create(&clusterset, lifetime()).unwrap();
        let bundle = Bundle {
            trust_domain: clusterset.clone(),
            authorities: vec![authority.bundle_authority()],
            sequence: 1,
            refresh_hint: 0,
        };
        let (set, problems) = BundleSet::from_bundles([&bundle]);
        assert!(problems.is_empty(), "{problems:?}");
        let mut group = Self {
            clusterset,
            authority,
            bundles: SharedBundles::new(set),
            members: BTreeMap::new(),
            founders: (1..=servers).map(ServerId).collect(),
            nodes: BTreeMap::new(),
            dir: tempfile::tempdir().unwrap(),
            timing,
            wrong_by: Arc::default(),
            free: (1..=9).map(|id| (ServerId(id), Arc::new(AtomicU64::new(LEAST_FREE * 2)))).collect(),
        };
        let mut listeners = Vec::new();
        for id in (1..=servers).map(ServerId) {
            listeners.push((id, group.listen(id).await));
        }
        for (id, listener) in listeners {
            if let Some(backup) = backup {
                std::fs::create_dir_all(group.data_dir(id)).unwrap();
                std::fs::write(group.data_dir(id).join(RESTORE_FILE), backup).unwrap();
            }
            let node = group.node_on(id, id, listener).await.unwrap();
            group.nodes.insert(id, node);
        }
        group
    }

    /// Founders that are bound, and not started.
    pub(crate) async fn bound(servers: u64) -> (Self, Vec<(ServerId, PeerListener)>) {
        let mut group = Self::with_snapshots_every(0, Timing::default().snapshot_every).await;
        group.founders = (1..=servers).map(ServerId).collect();
        let mut listeners = Vec::new();
        for id in group.founders.clone() {
            listeners.push((id, group.listen(id).await));
        }
        (group, listeners)
    }

    pub(crate) async fn start_bound(&mut self, id: ServerId, listener: PeerListener) {
        let node = self.node_on(id, id, listener).await.unwrap();
        self.nodes.insert(id, node);
    }

    /// Starts an empty server that waits to be added, at an address of its own.
    pub(crate) async fn join_one(&mut self, id: ServerId) -> Member {
        self.founders.remove(&id);
        let listener = self.listen(id).await;
        self.start_bound(id, listener).await;
        self.members[&id].clone()
    }

    async fn listen(&mut self, id: ServerId) -> PeerListener {
        let listener = self.bind(id, "127.0.0.1:0".parse().unwrap()).await;
        let raft = listener.local_addr().to_string();
        self.members.insert(id, Member { api: format!("api-{id}:1"), raft });
        listener
    }

    /// Empties the data directory of a server that is stopped.
    pub(crate) fn lose_data(&self, id: ServerId) {
        std::fs::remove_dir_all(self.data_dir(id)).unwrap();
    }

    /// Says how much is free on the disk of `id`.
    pub(crate) fn set_free(&self, id: ServerId, bytes: u64) {
        self.free[&id].store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        self.nodes.values().cloned().collect()
    }

    pub(crate) fn ids(&self) -> Vec<ServerId> {
        self.members.keys().copied().collect()
    }

    pub(crate) fn node(&self, id: ServerId) -> &Node {
        &self.nodes[&id]
    }

    /// The server that leads and is known as leader to all that run.
    pub(crate) async fn leader(&self) -> Node {
        let agreed = async || {
            let leader = self.nodes.values().find(|node| node.leadership().borrow().is_leader())?;
            let knows = |node: &Node| node.leadership().borrow().leader == Some(leader.id());
            self.nodes.values().all(knows).then(|| leader.clone())
        };
        eventually(LONG, agreed).await.unwrap()
    }

    pub(crate) async fn stop_one(&mut self, id: ServerId) {
        self.nodes.remove(&id).unwrap().shutdown().await;
    }

    pub(crate) async fn start_one(&mut self, id: ServerId) {
        // The old listener's port and the old data directory are free within moments of the shutdown.
        let node = eventually(LONG, async || self.try_start(id, id).await.ok()).await.unwrap();
        self.nodes.insert(id, node);
    }

    /// Starts over the data directory of `id` as server `claims`.
    pub(crate) async fn try_start(&self, id: ServerId, claims: ServerId) -> Result<Node, StartError> {
        let address: SocketAddr = self.members[&id].raft.parse().unwrap();
        let listener = self.bind(claims, address).await;
        self.node_on(id, claims, listener).await
    }

    async fn bind(&self, id: ServerId, address: SocketAddr) -> PeerListener {
        let identity = identity(&self.authority, &infra::server_id(&self.clusterset, id));
        let metrics = HandshakeMetrics::default();
        PeerListener::bind(address, &self.clusterset, identity, self.bundles.clone(), metrics).await.unwrap()
    }

    async fn node_on(
        &self,
        id: ServerId,
        claims: ServerId,
        listener: PeerListener,
    ) -> Result<Node, StartError> {
        let joins = !self.founders.contains(&id);
        let mut members = self.members.clone();
        members.retain(|id, _| joins || self.founders.contains(id));
        members.entry(claims).or_default();
        let free = Arc::clone(&self.free[&id]);
        let space = Space::measured_by(LEAST_FREE, move || Ok(free.load(Ordering::Relaxed)));
        Node::start(NodeConfig {
            id: claims,
            clusterset: self.clusterset.clone(),
            data_dir: self.data_dir(id),
            members,
            join: joins,
            identity: identity(&self.authority, &infra::server_id(&self.clusterset, claims)),
            bundles: self.bundles.clone(),
            listener,
            space,
            timing: self.timing,
            clock: self.clock(),
            metrics: Metrics::default(),
        })
        .await
    }

    fn clock(&self) -> Clock {
        let (right, wrong_by) = (Clock::system(), Arc::clone(&self.wrong_by));
        Clock::of(move || right.now().plus(wrong_by.load(Ordering::Relaxed)))
    }

    fn data_dir(&self, id: ServerId) -> PathBuf {
        self.dir.path().join(id.to_string())
    }

    pub(crate) async fn call_as(&self, stranger: &Stranger) -> Result<Response<RaftMessage>, Status> {
        let foreign = Authority::create(&self.clusterset, lifetime()).unwrap();
        let server = infra::server_id(&self.clusterset, ServerId(1));
        let identity = match stranger {
            Stranger::Agent => {
                let id = infra::agent_id(&self.clusterset, &"east".parse().unwrap());
                Some(identity(&self.authority, &id))
            }
            Stranger::ForeignServer => Some(identity(&foreign, &server)),
            Stranger::Anonymous => None,
            Stranger::Server => Some(identity(&self.authority, &server)),
        };
        let bundles = self.bundles.clone();
        let server = Server::Bundles { bundles, authorize: Arc::new(Anyone) };
        let tls = client_config(ClientTls { identity, server, alpn: vec![b"h2".to_vec()] }).unwrap();
        let name = ServerName::try_from("server").unwrap();
        let address = self.members[&ServerId(1)].raft.clone();
        RaftClient::new(connect_tls(address, tls, name)).vote(RaftMessage { payload: vec![9, 9] }).await
    }

    pub(crate) async fn stop(self) {
        for node in self.nodes.values() {
            node.shutdown().await;
        }
    }
}
