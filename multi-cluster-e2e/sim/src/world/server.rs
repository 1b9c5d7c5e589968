//! One server through all its lives: it starts over whatever its disk still has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use federation_api::MAX_MESSAGE_BYTES;
use federation_api::federation::federation_server::FederationServer;
use federation_kit::drain::{self, DrainTrigger};
use federation_model::{ServerId, UnixMillis};
use federation_raft::seams::{Bug, Planted, Seams, Witness};
use federation_raft::{Clock, Member, Metrics, Node, StartError, Timing};
use federation_server::limits::Limits;
use federation_server::metrics::Metrics as ServerMetrics;
use federation_server::services::{Context, FederationService};
use federation_server::trust::Trust;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server as GrpcServer;

use super::disk::Platter;
use super::net::Net;
use super::pipe::Accepted;
use crate::nature::DATE;

/// As servers are configured.
const MAX_CALLS: u32 = 64;

/// What all lives of one server have in common.
#[derive(Debug)]
pub struct Server {
    /// Which.
    pub id: u64,
    /// What it keeps.
    pub platter: Platter,
    trust: Arc<Trust>,
    /// Milliseconds that its clock is ahead of the true time.
    ahead: Arc<AtomicI64>,
    members: BTreeMap<ServerId, Member>,
    settings: Settings,
    lives: u64,
    /// How many disks it has lost.
    disks: u64,
    life: Option<Life>,
}

/// How servers are run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Entries between snapshots.
    pub snapshot_every: u64,
    /// Changes kept for watchers.
    pub changes: usize,
    /// Whether it waits to be added to the others.
    pub join: bool,
    /// What is wrong on purpose.
    pub bug: Option<Bug>,
}

/// A running server.
#[derive(Debug)]
pub struct Life {
    /// Its part in consensus.
    pub node: Node,
    /// Says when it crashes.
    pub alive: watch::Receiver<bool>,
    /// Where agents connect.
    pub accept: mpsc::UnboundedSender<Accepted>,
    dies: watch::Sender<bool>,
    _drain: DrainTrigger,
}

impl Server {
    /// One that has never run.
    #[must_use]
    pub fn new(
        id: u64,
        platter: Platter,
        trust: Arc<Trust>,
        members: BTreeMap<ServerId, Member>,
        settings: Settings,
    ) -> Self {
        Self { id, platter, trust, ahead: Arc::default(), members, settings, lives: 0, disks: 0, life: None }
    }

    /// The present life; none while it is down.
    #[must_use]
    pub fn life(&self) -> Option<&Life> {
        self.life.as_ref()
    }

    /// The number of the life that starts next.
    #[must_use]
    pub const fn next_life(&self) -> u64 {
        self.lives + 1
    }

    /// Its clock jumps by so many milliseconds.
    pub fn jump(&self, millis: i64) {
        self.ahead.fetch_add(millis, Ordering::SeqCst);
    }

    /// It starts, over what its disk has.
    pub async fn start(&mut self, net: &Net, witness: Arc<dyn Witness>) -> Result<(), StartError> {
        self.lives += 1;
        let (dies, alive) = watch::channel(true);
        let started = Instant::now();
        let ahead = Arc::clone(&self.ahead);
        // tokio's clock is the true time; it began with the run.
        let epoch = *EPOCH.get_or_init(|| started);
        let clock = Clock::of(move || {
            let true_time = DATE * 1_000 + i64::try_from(epoch.elapsed().as_millis()).unwrap_or(i64::MAX);
            let shown = true_time.saturating_add(ahead.load(Ordering::SeqCst));
            UnixMillis(u64::try_from(shown).unwrap_or_default())
        });
        let Settings { snapshot_every, changes, join, bug } = self.settings.clone();
        let (node, port) = Node::start_on(Seams {
            id: ServerId(self.id),
            clusterset: self.trust.clusterset().clone(),
            members: self.members.clone(),
            join,
            fresh: self.id | self.disks << 32,
            disk: self.platter.plug(),
            transport: net.transport(self.id, alive.clone()),
            timing: Timing { snapshot_every, ..Timing::default() },
            clock,
            space: self.platter.space(),
            changes,
            metrics: Metrics::default(),
            witness: Some(witness),
            planted: bug.map(Planted::one).unwrap_or_default(),
        })
        .await?;
        net.listen(self.id, self.lives, port);

        let (drain, watcher) = drain::channel();
        let observer = watcher.into_observer();
        let servers = self.members.values().map(|member| member.api.clone()).collect();
        let context = Context::new(
            node.clone(),
            Arc::clone(&self.trust),
            ServerMetrics::default(),
            Some(servers),
            Limits::default(),
            observer,
        );
        let service = FederationServer::new(FederationService(Arc::new(context)))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let (accept, accepted) = mpsc::unbounded_channel();
        let mut until = alive.clone();
        let served = GrpcServer::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(5)))
            .max_concurrent_streams(Some(MAX_CALLS))
            .add_service(service)
            .serve_with_incoming(UnboundedReceiverStream::new(accepted).map(Ok::<_, std::io::Error>));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = until.wait_for(|alive| !alive) => {}
                _ = served => {}
            }
        });
        self.life = Some(Life { node, alive, accept, dies, _drain: drain });
        Ok(())
    }

    /// While it is down, its disk is replaced by an empty one.
    pub fn lose_disk(&mut self) {
        self.platter.wipe();
        self.disks += 1;
    }

    /// It dies here and now: nobody hears of it again, and its disk forgets.
    pub fn crash(&mut self, net: &Net) {
        let Some(life) = self.life.take() else { return };
        net.close(self.id);
        self.platter.crash();
        life.dies.send_replace(false);
        // Only so that its tasks end: whatever it still says goes nowhere.
        tokio::spawn(async move { life.node.shutdown().await });
    }
}

/// When the run began. A process runs one seed.
static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
