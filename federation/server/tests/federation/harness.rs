//! Three servers in one process, and the agents and operators that call them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_api::federation as wire;
use federation_api::federation::admin_client::AdminClient;
use federation_api::federation::federation_client::FederationClient;
use federation_kit::daemon::Process;
use federation_kit::drain::DrainTrigger;
use federation_kit::grpc::connect_tls;
use federation_kit::testing::eventually;
use federation_model::{Bundle, ClusterId, ServerId, SpiffeId, TrustDomain};
use federation_raft::{Node, Timing};
use federation_server::config::{CaFiles, MemberConfig, VipConfig};
use federation_server::limits::Limits;
use federation_server::metrics::Metrics;
use federation_server::{App, Config, Listeners};
use federation_trust::authorize::FederationServers;
use federation_trust::csr::verified_key;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{
    Authority, BundleSet, Identity, JoinTokenText, Lifetime, PrivateKey, SharedBundles, SharedIdentity, infra,
};
use rustls::pki_types::{CertificateDer, ServerName};
use tonic::transport::Channel;

/// Only bounds how long a broken test hangs.
pub(crate) const LONG: Duration = Duration::from_secs(60);

pub(crate) struct Federation {
    pub(crate) clusterset: TrustDomain,
    pub(crate) authority: Authority,
    pub(crate) servers: Vec<Running>,
    bundles: SharedBundles,
    _dir: tempfile::TempDir,
}

pub(crate) struct Running {
    pub(crate) id: ServerId,
    pub(crate) api: String,
    pub(crate) http: String,
    pub(crate) node: Node,
    pub(crate) metrics: Metrics,
    trigger: DrainTrigger,
    process: Process,
}

pub(crate) fn lifetime() -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600))
}

fn config(id: ServerId, dir: &Path) -> Config {
    let any = "127.0.0.1:0".parse().unwrap();
    Config {
        id,
        clusterset: "lab".parse().unwrap(),
        data_dir: dir.join(id.to_string()),
        api_listen: any,
        raft_listen: any,
        http_listen: any,
        ca: CaFiles { cert: dir.join("ca.pem"), key: dir.join("ca.key") },
        members: Vec::new(),
        vips: VipConfig { v4: "127.240.0.0/16".parse().unwrap(), ..VipConfig::default() },
        join: false,
        min_free_mib: 0,
        advertise_servers: None,
        limits: Limits::default(),
        timing: Timing::default(),
    }
}

impl Federation {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let clusterset: TrustDomain = "lab".parse().unwrap();
        let authority = Authority::create(&clusterset, lifetime()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), authority.cert_pem()).unwrap();
        std::fs::write(dir.path().join("ca.key"), authority.key_pem().as_bytes()).unwrap();

        let mut bound = Vec::new();
        for id in (1..=3).map(ServerId) {
            let (trigger, process) = Process::new("isthmus-server");
            let config = Config { limits, ..config(id, dir.path()) };
            let listeners = Listeners::bind(&config, &process).await.unwrap();
            bound.push((config, listeners, trigger, process));
        }
        let members: Vec<MemberConfig> = bound
            .iter()
            .map(|(config, listeners, ..)| MemberConfig {
                id: config.id,
                api: listeners.api_addr().to_string(),
                raft: listeners.raft_addr().to_string(),
            })
            .collect();
        let mut servers = Vec::new();
        for (mut config, listeners, trigger, process) in bound {
            config.members = members.clone();
            let (id, api) = (config.id, listeners.api_addr().to_string());
            let http = listeners.http_addr().to_string();
            let app = App::build(config, listeners, &process).await.unwrap();
            let (node, metrics) = (app.node(), app.metrics());
            app.run(&process);
            servers.push(Running { id, api, http, node, metrics, trigger, process });
        }
        let bundle = Bundle {
            trust_domain: clusterset.clone(),
            authorities: vec![authority.bundle_authority()],
            sequence: 1,
            refresh_hint: 0,
        };
        let bundles = SharedBundles::new(BundleSet::from_bundles([&bundle]).0);
        let federation = Self { clusterset, authority, servers, bundles, _dir: dir };
        federation.leader().await;
        federation
    }

    /// The index of the server that leads, once all know it.
    pub(crate) async fn leader(&self) -> usize {
        let agreed = async || {
            let leader = self.servers.iter().position(|s| s.node.leadership().borrow().is_leader())?;
            let knows = |s: &Running| s.node.leadership().borrow().leader == Some(self.servers[leader].id);
            self.servers.iter().all(knows).then_some(leader)
        };
        eventually(LONG, agreed).await.unwrap()
    }

    /// The index of a server that does not lead.
    pub(crate) async fn follower(&self) -> usize {
        (self.leader().await + 1) % self.servers.len()
    }

    pub(crate) fn identity(&self, id: &SpiffeId) -> SharedIdentity {
        let key = PrivateKey::generate().unwrap();
        let csr = verified_key(&key.csr().unwrap().0).unwrap();
        SharedIdentity::new(Identity::new(self.authority.issue(&csr, id, lifetime()).unwrap(), &key).unwrap())
    }

    pub(crate) fn channel(&self, server: usize, identity: Option<SharedIdentity>) -> Channel {
        self.channel_to(&self.servers[server].api, identity)
    }

    pub(crate) fn channel_to(&self, address: &str, identity: Option<SharedIdentity>) -> Channel {
        let authorize = Arc::new(FederationServers { clusterset: Some(self.clusterset.clone()) });
        let server_is = Server::Bundles { bundles: self.bundles.clone(), authorize };
        let alpn = vec![b"h2".to_vec()];
        let tls = client_config(ClientTls { identity, server: server_is, alpn }).unwrap();
        let name = ServerName::try_from("server").unwrap();
        connect_tls(address.to_owned(), tls, name)
    }

    pub(crate) fn admin(&self, server: usize) -> AdminClient<Channel> {
        let id = infra::admin_id(&self.clusterset, "ana").unwrap();
        AdminClient::new(self.channel(server, Some(self.identity(&id))))
    }

    /// An agent with a certificate made here, for tests that are not about joining.
    pub(crate) fn agent(&self, server: usize, cluster: &str) -> FederationClient<Channel> {
        let id = infra::agent_id(&self.clusterset, &cluster.parse().unwrap());
        FederationClient::new(self.channel(server, Some(self.identity(&id))))
    }

    pub(crate) fn anonymous(&self, server: usize) -> FederationClient<Channel> {
        FederationClient::new(self.channel(server, None))
    }

    pub(crate) async fn token(&self, cluster: &str) -> JoinTokenText {
        let request = wire::CreateTokenRequest { cluster: cluster.to_owned(), ttl_seconds: 60 };
        let made = self.admin(self.follower().await).create_token(request).await.unwrap().into_inner();
        made.token.parse().unwrap()
    }

    pub(crate) async fn stop(self) {
        for Running { trigger, process, node, .. } in self.servers {
            let tasks = process.tasks.clone();
            drop(process);
            trigger.drain(Duration::from_secs(10)).await;
            assert_eq!(tasks.stop(Duration::from_secs(5)).await, 0, "tasks of {node:?} do not end");
        }
    }
}

pub(crate) fn join_request(token: &JoinTokenText, cluster: &str, key: &PrivateKey) -> wire::JoinRequest {
    wire::JoinRequest {
        token_secret: token.secret_text().to_string(),
        cluster: cluster.to_owned(),
        csr: key.csr().unwrap().0,
    }
}

pub(crate) fn joined(answer: &wire::JoinResponse, key: &PrivateKey) -> Identity {
    let chain = answer.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    Identity::new(chain, key).unwrap()
}

pub(crate) fn instance(digit: char) -> String {
    digit.to_string().repeat(32)
}

pub(crate) fn hello(cluster: &str, instance_digit: char) -> wire::Registration {
    wire::Registration {
        instance: instance(instance_digit),
        network: format!("net-{cluster}"),
        trust_domain: format!("{cluster}.lab"),
        gateways: vec![wire::Gateway {
            address: "127.0.0.1:15443".to_owned(),
            zone: String::new(),
            weight: 1,
        }],
        version: "test".to_owned(),
        ..wire::Registration::default()
    }
}

pub(crate) fn service(name: &str) -> wire::ServiceId {
    wire::ServiceId { namespace: "demo".to_owned(), name: name.to_owned() }
}

/// An export of TCP port 80, open to `scope` (empty: to all).
pub(crate) fn export(name: &str, generation: u64, scope: &[ClusterId]) -> wire::Export {
    use wire::export::{Mtls, Scope};
    let scope = match scope {
        [] => Scope::All(wire::AllClusters {}),
        named => {
            Scope::Clusters(wire::ClusterList { clusters: named.iter().map(ToString::to_string).collect() })
        }
    };
    wire::Export {
        service: Some(service(name)),
        generation,
        kind: wire::ExportKind::ClusterSetIp.into(),
        ports: vec![wire::ServicePort {
            name: "http".to_owned(),
            protocol: wire::Protocol::Tcp.into(),
            app_protocol: String::new(),
            port: 80,
        }],
        scope: Some(scope),
        mtls: Some(Mtls::Gateway(wire::GatewayMtls {})),
        localities: vec![wire::Locality { zone: String::new(), ready: 1, total: 1 }],
        ..wire::Export::default()
    }
}
