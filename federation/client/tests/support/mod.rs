//! A federation that lives in this process: real TLS, real gRPC, no Raft. Several servers share one catalogue, each on a
//! runtime of its own, so that one can be killed without a goodbye.
#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

mod admin;
mod service;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use federation_api::federation::admin_server::AdminServer;
use federation_api::federation::federation_server::FederationServer;
use federation_client::{Servers, Timing};
use federation_kit::grpc::{HandshakeMetrics, TlsIncoming};
use federation_model::{Bundle, FederationView, Item, ItemKey, ServerId, SpiffeId, TrustDomain};
use federation_trust::authorize::Anyone;
use federation_trust::csr::verified_key;
use federation_trust::infra::{agent_id, server_id};
use federation_trust::tls::{Clients, ServerTls, server_config};
use federation_trust::{Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tonic::transport::Server;

use service::Service;

/// Bounds how long a broken test hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What all servers share.
pub(crate) struct Federation {
    pub(crate) authority: Authority,
    pub(crate) catalogue: watch::Sender<Catalogue>,
    /// What was said to any server, in order.
    pub(crate) heard: Mutex<Heard>,
    pub(crate) rules: Mutex<Rules>,
}

/// The replicated state, reduced to what a client can see: items by the revision at which they changed.
#[derive(Clone, Default)]
pub(crate) struct Catalogue {
    pub(crate) revision: u64,
    pub(crate) items: BTreeMap<ItemKey, (u64, Item)>,
    pub(crate) removed: Vec<(u64, ItemKey)>,
}

impl Catalogue {
    pub(crate) fn put(&mut self, item: Item) -> u64 {
        self.revision += 1;
        self.items.insert(item.key(), (self.revision, item));
        self.revision
    }

    pub(crate) fn remove(&mut self, key: &ItemKey) -> u64 {
        self.revision += 1;
        self.items.remove(key);
        self.removed.push((self.revision, key.clone()));
        self.revision
    }

    pub(crate) fn view(&self) -> FederationView {
        let mut view = FederationView::default();
        for (_, item) in self.items.values() {
            view.upsert(item.clone());
        }
        view
    }
}

#[derive(Default)]
pub(crate) struct Heard {
    /// `hello`, `put demo/echo`, `remove demo/echo`, `bundle`, `sync`, with the server's number in front.
    pub(crate) published: Vec<String>,
    /// (server, resume revision).
    pub(crate) watched: Vec<(u64, u64)>,
    /// (server, applied revision).
    pub(crate) reported: Vec<(u64, u64)>,
    /// (server, peer).
    pub(crate) renewed: Vec<(u64, SpiffeId)>,
}

/// How the servers misbehave.
#[derive(Default)]
pub(crate) struct Rules {
    /// Reason by `demo/echo`, or `hello`.
    pub(crate) refuse: BTreeMap<String, String>,
    /// Servers that accept calls and say nothing.
    pub(crate) silent: Vec<u64>,
    /// Servers whose leader's clock stands still.
    pub(crate) stalled: Vec<u64>,
    /// Whether servers understand offers.
    pub(crate) compares: bool,
    /// The key that used the token.
    pub(crate) token_used_by: Option<federation_model::token::KeyHash>,
    /// Issue joiners the identity of this cluster instead.
    pub(crate) issue_for: Option<String>,
}

pub(crate) fn clusterset() -> TrustDomain {
    "lab".parse().unwrap()
}

pub(crate) fn lifetime(seconds: u64) -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(seconds))
}

impl Federation {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            authority: Authority::create(&clusterset(), lifetime(3_600)).unwrap(),
            catalogue: watch::Sender::new(Catalogue::default()),
            heard: Mutex::default(),
            rules: Mutex::default(),
        })
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle {
            trust_domain: clusterset(),
            authorities: vec![self.authority.bundle_authority()],
            sequence: 1,
            refresh_hint: 300,
        }
    }

    pub(crate) fn bundles(&self) -> SharedBundles {
        SharedBundles::new(BundleSet::from_bundles([&self.bundle()]).0)
    }

    pub(crate) fn identity(&self, id: &SpiffeId, seconds: u64) -> Identity {
        let key = PrivateKey::generate().unwrap();
        let csr = verified_key(&key.csr().unwrap().0).unwrap();
        Identity::new(self.authority.issue(&csr, id, lifetime(seconds)).unwrap(), &key).unwrap()
    }

    pub(crate) fn agent(&self, cluster: &str, seconds: u64) -> SharedIdentity {
        SharedIdentity::new(self.identity(&agent_id(&clusterset(), &cluster.parse().unwrap()), seconds))
    }

    /// Starts server number `id`.
    pub(crate) async fn start(self: &Arc<Self>, id: u64) -> FakeServer {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = server_config(ServerTls {
            identity: SharedIdentity::new(self.identity(&server_id(&clusterset(), ServerId(id)), 600)),
            bundles: self.bundles(),
            clients: Clients::Optional,
            authorize: Arc::new(Anyone),
            alpn: vec![b"h2".to_vec()],
        })
        .unwrap();
        let bind = TlsIncoming::bind("127.0.0.1:0".parse().unwrap(), config, HandshakeMetrics::default());
        let incoming = runtime.spawn(bind).await.unwrap().unwrap();
        let address = incoming.local_addr().to_string();
        let service = Service { id, federation: Arc::clone(self), addresses: vec![address.clone()] };
        let service = Arc::new(service);
        let serve = Server::builder()
            .add_service(FederationServer::from_arc(Arc::clone(&service)))
            .add_service(AdminServer::from_arc(service))
            .serve_with_incoming(incoming);
        runtime.spawn(serve);
        FakeServer { address, runtime: Some(runtime) }
    }

    pub(crate) fn heard<T>(&self, look: impl FnOnce(&Heard) -> T) -> T {
        look(&self.heard.lock().unwrap())
    }

    pub(crate) fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.rules.lock().unwrap());
    }
}

/// One server; killed when dropped.
pub(crate) struct FakeServer {
    pub(crate) address: String,
    runtime: Option<Runtime>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) fn servers(all: &[&FakeServer]) -> Servers {
    Servers::new(all.iter().map(|server| server.address.clone()).collect()).unwrap()
}

/// As in production, with less patience.
pub(crate) fn timing() -> Timing {
    Timing {
        answer: Duration::from_secs(2),
        silence: Duration::from_secs(2),
        leader_stall: Duration::from_secs(2),
        report_every: Duration::from_millis(50),
        reconnect: (Duration::from_millis(10), Duration::from_millis(100)),
        retry_refused: (Duration::from_millis(20), Duration::from_millis(50)),
        save_every: Duration::from_millis(10),
        ..Timing::default()
    }
}
