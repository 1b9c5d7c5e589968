//! One agent: the real client of the federation, which is told what to publish, and whose view is watched.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};

use federation_client::publish::ItemState;
use federation_client::{AgentClient, AgentConfig, AgentHandle, Channels, Desired, Servers, Timing};
use federation_kit::drain::{self, DrainTrigger};
use federation_model::command::Registration;
use federation_model::export::{Locality, Protocol, SessionAffinity};
use federation_model::{
    ClusterId, Export, ExportKind, ExportScope, FederationView, Generation, MtlsMode, Revision, ServiceId,
    ServicePort, UnixMillis,
};
use federation_trust::{SharedBundles, SharedIdentity};
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::transport::{Endpoint, Uri};
use tower::service_fn;

use crate::oracle::Oracle;
use crate::world::net::{End, Net};
use crate::world::pipe::{self, Accepted};

/// The label that carries an export's version.
const VERSION: &str = "version";

/// Where agents find the servers that are up.
#[derive(Debug, Clone, Default)]
pub struct Doors(Arc<Mutex<BTreeMap<String, Door>>>);

/// The door of one server in its present life.
#[derive(Debug, Clone)]
pub struct Door {
    /// Which server.
    pub server: u64,
    /// Where it takes connections.
    pub accept: mpsc::UnboundedSender<Accepted>,
    /// For how long.
    pub alive: watch::Receiver<bool>,
}

impl Doors {
    /// Opens the door at `address`.
    pub fn open(&self, address: String, door: Door) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address, door);
    }

    fn at(&self, address: &str) -> Option<Door> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned()
    }
}

/// What all agents of a cluster show.
#[derive(Debug, Clone)]
pub struct Papers {
    /// The certificate's chain.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// The same, with its key.
    pub identity: SharedIdentity,
    /// By whom servers are believed.
    pub bundles: SharedBundles,
}

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    /// For people.
    pub name: String,
    /// Whose.
    pub cluster: ClusterId,
    /// What it wants to be known.
    pub desired: watch::Sender<Arc<Desired>>,
    /// What it knows.
    pub handle: AgentHandle,
    tasks: Vec<JoinHandle<()>>,
    _drain: DrainTrigger,
}

impl Agent {
    /// Starts the agent number `number` of the cluster at `end`, which is told of the servers at `addresses`.
    #[must_use]
    pub fn start(
        (net, doors, oracle): (&Net, &Doors, &Oracle),
        (end, number): (usize, u64),
        papers: &Papers,
        addresses: Vec<String>,
        desired: Desired,
    ) -> Self {
        let cluster = desired.registration.cluster.clone();
        let name = format!("{cluster}/{number}");
        let (applied, applied_seen) = watch::channel(Revision(0));
        let (desired, desired_seen) = watch::channel(Arc::new(desired));
        #[allow(clippy::expect_used, reason = "addresses are made here, and there are some")]
        let servers = Servers::new(addresses).expect("some addresses");
        let config = AgentConfig {
            servers,
            identity: papers.identity.clone(),
            bundles: papers.bundles.clone(),
            clusterset: "lab".parse().unwrap_or_else(|_| unreachable!("a name")),
            store: None,
            view: FederationView::default(),
            version: "simulated".to_owned(),
            timing: Timing::default(),
        };
        let channels = channels(net, doors, End::Cluster(end), &papers.chain);
        let (client, handle) = AgentClient::over(channels, config, desired_seen, applied_seen);
        let (drain, watcher) = drain::channel();
        let run = tokio::spawn(async move {
            // It ends with the agent.
            let _ = client.run(watcher).await;
        });
        let views = tokio::spawn(follow_views(
            oracle.clone(),
            name.clone(),
            cluster.clone(),
            handle.clone(),
            applied,
        ));
        let answers = tokio::spawn(follow_answers(oracle.clone(), cluster.clone(), handle.clone()));
        Self { name, cluster, desired, handle, tasks: vec![run, views, answers], _drain: drain }
    }
}

impl Drop for Agent {
    /// As kill -9 would.
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn channels(net: &Net, doors: &Doors, end: End, chain: &Arc<[CertificateDer<'static>]>) -> Channels {
    let (net, doors, chain) = (net.clone(), doors.clone(), Arc::clone(chain));
    Channels::of(move |timing, address| {
        let (net, doors, chain, address) =
            (net.clone(), doors.clone(), Arc::clone(&chain), address.to_owned());
        let connector = service_fn(move |_: Uri| {
            let (net, doors, chain, address) =
                (net.clone(), doors.clone(), Arc::clone(&chain), address.clone());
            async move {
                let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                let door = doors.at(&address).ok_or_else(refused)?;
                net.pass(end, End::Server(door.server)).await;
                net.pass(End::Server(door.server), end).await;
                if !*door.alive.borrow() {
                    return Err(refused());
                }
                let (ours, theirs) = pipe::connect(&net, end, End::Server(door.server), chain, &door.alive);
                door.accept.send(theirs).map_err(|_| refused())?;
                Ok::<_, std::io::Error>(TokioIo::new(ours))
            }
        });
        Endpoint::from_static("http://server")
            .connect_timeout(timing.dial.connect)
            .http2_keep_alive_interval(timing.dial.ping_every)
            .keep_alive_timeout(timing.dial.ping_timeout)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connector)
    })
}

async fn follow_views(
    oracle: Oracle,
    name: String,
    cluster: ClusterId,
    mut handle: AgentHandle,
    applied: watch::Sender<Revision>,
) {
    while handle.view.changed().await.is_ok() {
        let view = Arc::clone(&handle.view.borrow_and_update());
        oracle.viewed(&name, &cluster, &view);
        applied.send_replace(view.revision);
    }
}

async fn follow_answers(oracle: Oracle, cluster: ClusterId, mut handle: AgentHandle) {
    let mut known: BTreeMap<ServiceId, (Generation, Revision)> = BTreeMap::new();
    while handle.publish.changed().await.is_ok() {
        let exports = handle.publish.borrow_and_update().exports.clone();
        for (service, state) in exports {
            let ItemState::Committed { generation, revision } = state else { continue };
            let answer = (generation, revision);
            if known.insert(service.clone(), answer) != Some(answer) {
                oracle.export_acknowledged(&cluster, &service, generation, revision);
            }
        }
    }
}

/// What an agent with this number says of its cluster.
#[must_use]
pub fn registration(cluster: &ClusterId, number: u64) -> Option<Registration> {
    Some(Registration {
        cluster: cluster.clone(),
        instance: format!("{number:032x}").parse().ok()?,
        network: "net".parse().ok()?,
        region: None,
        zone: None,
        trust_domain: format!("{cluster}.lab").parse().ok()?,
        gateways: Vec::new(),
    })
}

/// Version `version` of what `cluster` offers as `service`.
#[must_use]
pub fn export(cluster: &ClusterId, service: &ServiceId, version: u64, scope: ExportScope) -> Export {
    Export {
        cluster: cluster.clone(),
        service: service.clone(),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            app_protocol: None,
            port: NonZeroU16::MIN,
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: federation_model::export::InternalTrafficPolicy::default(),
        traffic_distribution: None,
        ip_families: std::collections::BTreeSet::default(),
        labels: BTreeMap::from([(VERSION.to_owned(), version.to_string())]),
        annotations: BTreeMap::new(),
        scope,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready: 1, total: 1 }],
        endpoints: Vec::new(),
    }
}

/// The version of an export; zero where it carries none.
#[must_use]
pub fn version(export: &Export) -> u64 {
    export.labels.get(VERSION).and_then(|version| version.parse().ok()).unwrap_or_default()
}
