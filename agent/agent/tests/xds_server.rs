//! The xDS server over a real Unix socket, with a client that speaks the protocols by hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod xds_support;

use agent_agent::xds::ResourceType;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest,
};
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use envoy_types::pb::google::rpc::Status as Complaint;
use federation_kit::grpc::connect_local;
use federation_model::data_plane::AppProtocol;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use xds_support::{Agent, Ca, DEADLINE, agent, config, outbound, plain, port};

fn client(agent: &Agent) -> AggregatedDiscoveryServiceClient<Channel> {
    AggregatedDiscoveryServiceClient::new(connect_local(&agent.address))
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Struct {
    Struct { fields: fields.map(|(key, value)| (key.to_owned(), value)).into() }
}

fn node(id: &str) -> Node {
    let ours = object([("namespace", text("demo")), ("service_account", text("client"))]);
    let ours = Value { kind: Some(Kind::StructValue(ours)) };
    Node { id: id.to_owned(), metadata: Some(object([("isthmus", ours)])), ..Node::default() }
}

/// A delta stream.
struct Delta {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Delta {
    async fn open(agent: &Agent, first: DeltaDiscoveryRequest) -> Self {
        let (requests, receiver) = mpsc::channel(16);
        requests.send(first).await.unwrap();
        let responses =
            client(agent).delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap();
        Self { requests, responses: responses.into_inner() }
    }

    async fn next(&mut self) -> Result<Option<DeltaDiscoveryResponse>, Status> {
        tokio::time::timeout(DEADLINE, self.responses.message()).await.expect("something comes")
    }

    async fn ack(&self, response: &DeltaDiscoveryResponse, error: Option<Complaint>) {
        let request = DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail: error,
            ..DeltaDiscoveryRequest::default()
        };
        self.requests.send(request).await.unwrap();
    }
}

fn all(node: Option<Node>, kind: ResourceType) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest { node, type_url: kind.type_url(), ..DeltaDiscoveryRequest::default() }
}

fn names(response: &DeltaDiscoveryResponse) -> Vec<&str> {
    response.resources.iter().map(|one| one.name.as_str()).collect()
}

fn with(services: &[&str], ca: &Ca) -> federation_model::data_plane::GatewayConfig {
    let mut config = config([("east", ca)]);
    for service in services {
        let target = plain("127.0.0.1:9".parse().unwrap());
        config.egress.insert(port(service, 80), outbound("240.240.0.1", AppProtocol::Tcp, [vec![target]]));
    }
    config
}

#[tokio::test]
async fn nothing_is_said_before_there_is_a_configuration() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    let first = all(Some(node("a")), ResourceType::Cluster);
    let opening = tokio::spawn({
        let mut client = client(&agent);
        async move {
            let (requests, receiver) = mpsc::channel(1);
            requests.send(first).await.unwrap();
            let mut stream =
                client.delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
            stream.message().await.unwrap().unwrap()
        }
    });
    let connected = agent.status.wait_for(|nodes| nodes.contains_key("a"));
    let nodes = tokio::time::timeout(DEADLINE, connected).await.expect("the proxy is seen");
    assert!(nodes["a"].acked.is_empty() && !opening.is_finished());
    agent.config.set(with(&["demo/echo"], &east));
    let response = tokio::time::timeout(DEADLINE, opening).await.expect("an answer").unwrap();
    assert_eq!(names(&response), ["outbound|80||echo.demo.svc.clusterset.local"]);
}

#[tokio::test]
async fn status_says_who_has_what() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    assert_eq!(agent.config.set(with(&["demo/a"], &east)), 1);
    assert_eq!(agent.config.set(with(&["demo/a"], &east)), 1, "the same is no change");
    let mut stream = Delta::open(&agent, all(Some(node("a")), ResourceType::Cluster)).await;
    let first = stream.next().await.unwrap().unwrap();
    stream.ack(&first, None).await;
    let status = tokio::time::timeout(DEADLINE, agent.status.settled("a", 1)).await.unwrap();
    assert_eq!(status.acked["cds"], first.system_version_info);

    assert_eq!(agent.config.set(with(&["demo/a", "demo/b"], &east)), 2);
    let second = stream.next().await.unwrap().unwrap();
    assert_eq!(names(&second), ["outbound|80||b.demo.svc.clusterset.local"], "only what changed");
    let complaint = Complaint { code: 3, message: "no such thing".to_owned(), ..Complaint::default() };
    stream.ack(&second, Some(complaint)).await;
    let rejected = agent.status.wait_for(|nodes| nodes["a"].rejected == 1);
    let nodes = tokio::time::timeout(DEADLINE, rejected).await.unwrap();
    assert_eq!(nodes["a"].last_error.as_deref(), Some("cds: no such thing"));
    assert_eq!((nodes["a"].settled, &nodes["a"].acked["cds"]), (1, &first.system_version_info));

    assert_eq!(agent.config.set(with(&["demo/c"], &east)), 3);
    for _ in 0..2 {
        let response = stream.next().await.unwrap().unwrap();
        stream.ack(&response, None).await;
    }
    tokio::time::timeout(DEADLINE, agent.status.settled("a", 3)).await.unwrap();
    // A proxy that is gone is not in the status.
    drop(stream);
    tokio::time::timeout(DEADLINE, agent.status.wait_for(|nodes| nodes.is_empty())).await.unwrap();
}

#[tokio::test]
async fn identities_are_of_the_workload_and_kept_over_changes() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    agent.config.set(with(&[], &east));
    let mut first = all(Some(node("a")), ResourceType::Secret);
    let id = "spiffe://east.lab/ns/demo/sa/client";
    first.resource_names_subscribe =
        ["default", id, "ALL", "ROOTCA", "spiffe://east.lab", "nothing"].map(str::to_owned).into();
    let mut stream = Delta::open(&agent, first).await;
    let response = stream.next().await.unwrap().unwrap();
    assert_eq!(names(&response), ["ALL", "ROOTCA", "default", "spiffe://east.lab", id]);
    assert_eq!(response.removed_resources, ["nothing"]);
    stream.ack(&response, None).await;
    // A change of something else sends no secrets; one of the bundles sends those and not the identity.
    let mut bundles = with(&["demo/a"], &east);
    agent.config.set(bundles.clone());
    let west = Ca::new("west");
    bundles.bundles.insert(xds_support::domain("west"), west.bundle());
    agent.config.set(bundles);
    let response = stream.next().await.unwrap().unwrap();
    assert_eq!(names(&response), ["ALL"]);
}

#[tokio::test]
async fn nodes_that_cannot_be_served_are_told_why() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    agent.config.set(with(&[], &east));
    let typo = Value { kind: Some(Kind::StructValue(object([("outbond", text("x"))]))) };
    let typo = Node { metadata: Some(object([("isthmus", typo)])), ..node("a") };
    let long = node(&"x".repeat(1_000));
    for (node, word) in [(None, "must carry a node"), (Some(typo), "outbond"), (Some(long), "1000 bytes")] {
        let mut stream = Delta::open(&agent, all(node, ResourceType::Cluster)).await;
        let status = stream.next().await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(word), "{status}");
    }
    assert!(agent.status.nodes().is_empty());
}

#[tokio::test]
async fn streams_end_when_the_agent_stops_and_the_socket_goes() {
    let east = Ca::new("east");
    let agent = agent(&east).await;
    agent.config.set(with(&[], &east));
    let mut delta = Delta::open(&agent, all(Some(node("a")), ResourceType::Cluster)).await;
    delta.next().await.unwrap().unwrap();
    let (requests, receiver) = mpsc::channel(1);
    let request = DiscoveryRequest {
        node: Some(node("b")),
        type_url: ResourceType::Cluster.type_url(),
        ..DiscoveryRequest::default()
    };
    requests.send(request).await.unwrap();
    let stream = client(&agent).stream_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap();
    let mut sotw = stream.into_inner();
    assert!(sotw.message().await.unwrap().is_some());
    agent.stop.cancel();
    assert!(delta.next().await.unwrap().is_none());
    assert!(tokio::time::timeout(DEADLINE, sotw.message()).await.expect("it ends").unwrap().is_none());
    tokio::time::timeout(DEADLINE, agent.task).await.expect("the server ends").unwrap();
}
