//! `GatewayControl` over real TLS, as a gateway in a pod uses it. Who reviews tokens is a fake.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod xds_support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use agent_agent::config::AccountName;
use agent_agent::control::{
    ConfigSender, Gateways, LocalApi, ReviewToken, TlsListener, TokenRefused, config as control_config,
};
use federation_api::gateway::gateway_control_client::GatewayControlClient;
use federation_api::gateway::{IssueRequest, ReportRequest, WatchRequest};
use federation_kit::grpc::{LocalAddr, connect_tls};
use federation_trust::authorize::Only;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{Identity, Lifetime, PrivateKey, SharedIdentity, csr, infra};
use futures::FutureExt;
use futures::future::BoxFuture;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use xds_support::{Ca, DEADLINE, bundles, config};

const GATEWAY: &str = "isthmus-system/isthmus-gateway";

/// Knows whose tokens are good, by a table.
#[derive(Debug, Default)]
struct FakeReviewer(Mutex<BTreeMap<String, Result<&'static str, &'static str>>>);

impl ReviewToken for FakeReviewer {
    fn review<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<AccountName, TokenRefused>> {
        let verdict = match self.0.lock().unwrap().get(token).copied() {
            Some(Ok(account)) => Ok(account.parse().unwrap()),
            Some(Err(why)) => Err(TokenRefused::Unavailable(why.into())),
            None => Err(TokenRefused::Invalid("not known".into())),
        };
        async move { verdict }.boxed()
    }
}

struct Agent {
    address: SocketAddr,
    config: ConfigSender,
    gateways: Gateways,
    reviewer: Arc<FakeReviewer>,
    registry: Registry,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

fn leaf(ca: &Ca) -> Identity {
    let key = PrivateKey::generate().unwrap();
    let request = csr::verified_key(&key.csr().unwrap().0).unwrap();
    let lifetime = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600));
    let id = infra::cluster_agent_id(ca.0.domain());
    Identity::new(ca.0.issue(&request, &id, lifetime).unwrap(), &key).unwrap()
}

async fn start(ca: &Ca, listen: SocketAddr) -> Agent {
    let dir = tempfile::tempdir().unwrap();
    let socket = LocalAddr::Unix(dir.path().join("agent.sock"));
    let (sender, receiver) = control_config::channel();
    let mut registry = Registry::default();
    let reviewer = Arc::new(FakeReviewer::default());
    reviewer.0.lock().unwrap().extend([
        ("gateway".to_owned(), Ok(GATEWAY)),
        ("workload".to_owned(), Ok("demo/echo")),
        ("unclear".to_owned(), Err("the API server is away")),
    ]);
    let tls = TlsListener {
        listen,
        identity: SharedIdentity::new(leaf(ca)),
        reviewer: Arc::clone(&reviewer) as Arc<dyn ReviewToken>,
        accounts: BTreeSet::from([GATEWAY.parse().unwrap()]),
    };
    let api = LocalApi::bind(&socket, receiver, ca.issuer(), &mut registry).await.unwrap();
    let api = api.with_tls(tls, &mut registry).await.unwrap();
    let (address, gateways) = (api.tls_addr().unwrap(), api.gateways());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move { api.run(stopped.cancelled_owned()).await.unwrap() });
    Agent { address, config: sender, gateways, reviewer, registry, stop, task, _dir: dir }
}

fn client(agent: &Agent, believed: &Ca) -> GatewayControlClient<Channel> {
    let domain = believed.0.domain();
    let authorize = Arc::new(Only(infra::cluster_agent_id(domain)));
    let server = Server::Bundles { bundles: bundles([believed]), authorize };
    let tls = client_config(ClientTls { identity: None, server, alpn: vec![b"h2".to_vec()] }).unwrap();
    let name = "isthmus-agent.isthmus-system.svc".try_into().unwrap();
    GatewayControlClient::new(connect_tls(agent.address.to_string(), tls, name))
}

fn with<T>(authorization: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", authorization.parse().unwrap());
    request
}

fn watch() -> WatchRequest {
    WatchRequest { gateway: "isthmus-gateway-0".to_owned() }
}

async fn refused(call: impl Future<Output = Result<(), Status>>) -> Status {
    tokio::time::timeout(DEADLINE, call).await.unwrap().unwrap_err()
}

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[tokio::test]
async fn a_gateway_with_a_token_is_served_as_on_the_socket() {
    let east = Ca::new("east");
    let agent = start(&east, ANY).await;
    let mut client = client(&agent, &east);
    agent.config.set(config([("east", &east)]));
    let mut stream = client.watch(with("Bearer gateway", watch())).await.unwrap().into_inner();
    let first = tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().unwrap();

    let key = PrivateKey::generate().unwrap();
    let csr = key.csr().unwrap().0;
    let issued = client.issue(with("Bearer gateway", IssueRequest { csr })).await.unwrap().into_inner();
    let identity = Identity::new(issued.chain.into_iter().map(Into::into).collect(), &key).unwrap();
    assert_eq!(identity.id().to_string(), "spiffe://east.lab/isthmus/gateway");

    let report = ReportRequest {
        gateway: "isthmus-gateway-0".to_owned(),
        version: first.version,
        ..ReportRequest::default()
    };
    client.report(with("bearer gateway", report)).await.unwrap();
    assert_eq!(agent.gateways.all()["isthmus-gateway-0"].watching, 1);

    agent.stop.cancel();
    assert!(tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().is_none());
    tokio::time::timeout(DEADLINE, agent.task).await.expect("both servers end").unwrap();
}

#[tokio::test]
async fn a_caller_without_a_good_token_of_a_gateway_learns_nothing() {
    let east = Ca::new("east");
    let agent = start(&east, ANY).await;
    agent.config.set(config([("east", &east)]));
    let client = client(&agent, &east);
    let none = refused(client.clone().watch(watch()).map(|r| r.map(drop))).await;
    assert_eq!(none.code(), Code::Unauthenticated);
    let cases = [
        ("Bearer expired", Code::Unauthenticated),
        ("Basic gateway", Code::Unauthenticated),
        ("gateway", Code::Unauthenticated),
        ("Bearer workload", Code::PermissionDenied),
        ("Bearer unclear", Code::Unavailable),
    ];
    for (authorization, code) in cases {
        // Every method, and before a byte of the request is looked at.
        let (mut one, mut two, mut three) = (client.clone(), client.clone(), client.clone());
        let csr = IssueRequest { csr: vec![0; 4 * 1024 * 1024] };
        let all = [
            refused(one.watch(with(authorization, watch())).map(|r| r.map(drop))).await,
            refused(two.issue(with(authorization, csr)).map(|r| r.map(drop))).await,
            refused(three.report(with(authorization, ReportRequest::default())).map(|r| r.map(drop))).await,
        ];
        for status in all {
            assert_eq!(status.code(), code, "{authorization}: {status}");
            for secret in ["isthmus-gateway", "demo", "echo", "expired", "API server"] {
                assert!(!status.message().contains(secret), "{status}");
            }
        }
    }
    let mut text = String::new();
    encode(&mut text, &agent.registry).unwrap();
    for line in [
        "isthmus_agent_control_gateway_calls_refused_total{reason=\"no_token\"} 7",
        "isthmus_agent_control_gateway_calls_refused_total{reason=\"bad_token\"} 3",
        "isthmus_agent_control_gateway_calls_refused_total{reason=\"other_account\"} 3",
        "isthmus_agent_control_gateway_calls_refused_total{reason=\"not_judged\"} 3",
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
    assert!(agent.gateways.all().is_empty());
}

#[tokio::test]
async fn requests_of_gateways_are_bounded() {
    let east = Ca::new("east");
    let agent = start(&east, ANY).await;
    let mut client = client(&agent, &east);
    let csr = IssueRequest { csr: vec![0; 2 * 1024 * 1024] };
    let status = client.issue(with("Bearer gateway", csr)).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test]
async fn an_agent_of_another_authority_is_not_believed() {
    let (east, impostor) = (Ca::new("east"), Ca::new("east"));
    let agent = start(&impostor, ANY).await;
    let mut client = client(&agent, &east);
    let status = client.watch(with("Bearer gateway", watch())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_token_that_was_withdrawn_is_refused_at_the_next_call_and_another_agent_asks_anew() {
    let east = Ca::new("east");
    let agent = start(&east, ANY).await;
    let mut client = client(&agent, &east);
    agent.config.set(config([("east", &east)]));
    let mut stream = client.watch(with("Bearer gateway", watch())).await.unwrap().into_inner();
    tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().unwrap();
    agent.reviewer.0.lock().unwrap().clear();
    let report = with("Bearer gateway", ReportRequest::default());
    assert_eq!(client.report(report).await.unwrap_err().code(), Code::Unauthenticated);
    drop(stream);

    // The agent is restarted at the same address; the channel finds it.
    let address = agent.address;
    agent.stop.cancel();
    tokio::time::timeout(DEADLINE, agent.task).await.unwrap().unwrap();
    let again = start(&east, address).await;
    again.config.set(config([("east", &east)]));
    let watching = federation_kit::testing::eventually(DEADLINE, async || {
        client.clone().watch(with("Bearer gateway", watch())).await.is_ok()
    });
    watching.await.unwrap();
}
