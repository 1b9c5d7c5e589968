//! `GatewayControl` over a real Unix socket, as a gateway uses it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod xds_support;

use std::time::SystemTime;

use agent_agent::control::GatewayStatus;
use federation_api::gateway::gateway_control_client::GatewayControlClient;
use federation_api::gateway::{IssueRequest, ReportRequest, WatchRequest};
use federation_kit::grpc::connect_local;
use federation_model::data_plane::{AppProtocol, GatewayConfig};
use federation_trust::{Identity, PrivateKey};
use tonic::Code;
use tonic::transport::Channel;
use xds_support::{Agent, Ca, DEADLINE, agent, config, gateway, outbound, port};

fn client(agent: &Agent) -> GatewayControlClient<Channel> {
    GatewayControlClient::new(connect_local(&agent.address))
}

#[tokio::test]
async fn a_gateway_is_certified_for_its_own_key_and_name() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    let key = PrivateKey::generate().unwrap();
    let csr = key.csr().unwrap().0;
    let chain = client(&agent).issue(IssueRequest { csr }).await.unwrap().into_inner().chain;
    let identity = Identity::new(chain.into_iter().map(Into::into).collect(), &key).unwrap();
    assert_eq!(identity.id().to_string(), "spiffe://east.lab/isthmus/gateway");
    assert!(identity.not_after() > SystemTime::now());
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    let key = PrivateKey::generate().unwrap();
    let mut forged = key.csr().unwrap().0;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    for csr in [Vec::new(), vec![0x30; 100], vec![0; 20_000], forged] {
        let status = client(&agent).issue(IssueRequest { csr }).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with("csr: "), "{status}");
    }
}

#[tokio::test]
async fn a_watch_gives_the_configuration_and_its_changes() {
    let (east, west) = (Ca::new("east"), Ca::new("west"));
    let agent = agent(&east).await;
    let mut client = client(&agent);
    let watching = tokio::spawn({
        let mut client = client.clone();
        async move { client.watch(WatchRequest { gateway: "gw-0".to_owned() }).await.unwrap().into_inner() }
    });
    let seen = agent.gateways.wait_for(|all| all.get("gw-0").is_some_and(|gateway| gateway.watching == 1));
    tokio::time::timeout(DEADLINE, seen).await.expect("the watch is seen");

    let mut wanted = config([("east", &east), ("west", &west)]);
    agent.config.set(wanted.clone());
    let mut stream = tokio::time::timeout(DEADLINE, watching).await.unwrap().unwrap();
    let first = stream.message().await.unwrap().unwrap();
    assert!(!first.version.is_empty());
    let version = first.version.clone();
    assert_eq!(GatewayConfig::try_from(first).unwrap(), wanted);

    let echo = port("demo/echo", 80);
    let groups = [vec![gateway("192.0.2.1:15443".parse().unwrap(), "west", &echo)]];
    wanted.egress.insert(echo, outbound("240.240.0.1", AppProtocol::Http, groups));
    agent.config.set(wanted.clone());
    let second = tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().unwrap();
    assert_ne!(second.version, version);
    let version = second.version.clone();
    assert_eq!(GatewayConfig::try_from(second).unwrap(), wanted);
    // The same content has the same version, on every stream.
    let mut other = client.watch(WatchRequest { gateway: "gw-1".to_owned() }).await.unwrap().into_inner();
    assert_eq!(other.message().await.unwrap().unwrap().version, version);

    let report = ReportRequest {
        gateway: "gw-0".to_owned(),
        version: version.clone(),
        problems: vec!["cannot listen on 240.240.0.1:80".to_owned(), "x".repeat(10_000)],
    };
    client.report(report).await.unwrap();
    let problems = vec!["cannot listen on 240.240.0.1:80".to_owned(), "x".repeat(512)];
    let expected = GatewayStatus { version: Some(version), problems, watching: 1 };
    assert_eq!(agent.gateways.all()["gw-0"], expected);

    agent.stop.cancel();
    assert!(tokio::time::timeout(DEADLINE, stream.message()).await.unwrap().unwrap().is_none());
    assert!(tokio::time::timeout(DEADLINE, other.message()).await.unwrap().unwrap().is_none());
    tokio::time::timeout(DEADLINE, agent.task).await.expect("the server ends").unwrap();
    assert_eq!(agent.gateways.all()["gw-0"].watching, 0);
}

#[tokio::test]
async fn names_and_their_number_are_bounded() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    let mut client = client(&agent);
    for gateway in [String::new(), "x".repeat(300)] {
        let report = ReportRequest { gateway: gateway.clone(), ..ReportRequest::default() };
        assert_eq!(client.report(report).await.unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(client.watch(WatchRequest { gateway }).await.unwrap_err().code(), Code::InvalidArgument);
    }
    // Those that only spoke once make room for others, the one that spoke first before all.
    for n in 0..65 {
        client
            .report(ReportRequest { gateway: format!("gw-{n}"), ..ReportRequest::default() })
            .await
            .unwrap();
    }
    let all = agent.gateways.all();
    assert_eq!((all.len(), all.contains_key("gw-0"), all.contains_key("gw-1")), (64, false, true));
    // Those that watch do not.
    agent.config.set(config([("east", &east)]));
    let mut watches = Vec::new();
    for n in 0..64 {
        let gateway = format!("watcher-{n}");
        watches.push(client.watch(WatchRequest { gateway }).await.unwrap());
    }
    let more = ReportRequest { gateway: "one-more".to_owned(), ..ReportRequest::default() };
    assert_eq!(client.report(more).await.unwrap_err().code(), Code::ResourceExhausted);
}
