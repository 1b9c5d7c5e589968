//! Calls of local clients.

use std::time::Duration;

use federation_kit::testing::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::backends;
use crate::clients::ask;
use crate::fake_agent::FakeAgent;
use crate::world::{DEADLINE, Pki, Running, local, outbound, port, route, through_gateway, vip};

/// West's gateway, which exports `demo/echo:80`.
struct West {
    agent: FakeAgent,
    gateway: Running,
    _directory: tempfile::TempDir,
}

async fn west(pki: &Pki, scope: &[&str], backend: &backends::Backend) -> West {
    let mut config = pki.config("west");
    config.ingress.insert(port("demo/echo", 80), route(scope, false, &[backend.address]));
    let agent = FakeAgent::start(pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    West { agent, gateway, _directory: directory }
}

#[tokio::test]
async fn an_http_client_in_east_is_answered_by_west() {
    let pki = Pki::new();
    let backend = backends::http("west").await;
    let west = west(&pki, &["east"], &backend).await;
    let (echo, vip) = (port("demo/echo", 80), vip());
    // Another port number than west's own listener, on an address of its own.
    let target = through_gateway(west.gateway.addresses.ingress, "west", &echo);
    let imported = port("demo/echo", 18_080);
    let mut config = pki.config("east");
    config.egress.insert(imported.clone(), outbound(vip, vec![vec![target]]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.follows("v1").await;

    let url = format!("http://{vip}:18080/over/the/strait");
    let answer = reqwest::Client::new().post(&url).body("body").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "west got /over/the/strait and 4 bytes");
    gateway.counts("isthmus_gateway_connections_total{direction=\"egress\",mode=\"originate\"} 1").await;
    let report = agent.report(|report| report.version == "v1").await;
    assert_eq!((report.gateway.as_str(), report.problems.len()), ("gw-1", 0));

    let status: serde_json::Value = serde_json::from_str(&gateway.page("/status").await).unwrap();
    assert_eq!(status["version"], "v1");
    assert_eq!(status["egress"][0]["listen"], format!("{vip}:18080"));
    assert_eq!(status["egress"][0]["service"], "demo/echo");
    assert_eq!(status["egress"][0]["state"], "listening");
    assert_eq!(status["agent"]["connected"], true);
    assert_eq!(status["identity"]["id"], "spiffe://east.lab/isthmus/gateway");

    // Neither gateway needs its agent to go on.
    west.agent.kill().await;
    agent.kill().await;
    let again = reqwest::Client::new().post(&url).body("").send().await.unwrap();
    assert_eq!(again.text().await.unwrap(), "west got /over/the/strait and 0 bytes");
    gateway.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn the_first_group_is_used_until_it_cannot_be_reached() {
    let pki = Pki::new();
    let (here, there) = (backends::after_end("here").await, backends::after_end("there").await);
    let west = west(&pki, &["*"], &there).await;
    let (echo, vip) = (port("demo/echo", 80), vip());
    let imported = port("demo/echo", 18_081);
    let remote = through_gateway(west.gateway.addresses.ingress, "west", &echo);
    let dead = through_gateway(backends::echo().await.stop().await, "south", &echo);
    let mut config = pki.config("east");
    let groups = vec![vec![local(here.address)], vec![dead], vec![remote]];
    config.egress.insert(imported, outbound(vip, groups));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.follows("v1").await;

    let call = async || {
        let mut stream = TcpStream::connect((vip, 18_081)).await.unwrap();
        ask(&mut stream, "x").await.unwrap()
    };
    for _ in 0..3 {
        assert_eq!(call().await, "here:x");
    }
    here.stop().await;
    for _ in 0..3 {
        assert_eq!(call().await, "there:x");
    }
    gateway.counts("isthmus_gateway_connections_total{direction=\"egress\",mode=\"plain\"} 3").await;
    gateway.counts("isthmus_gateway_connections_total{direction=\"egress\",mode=\"originate\"} 3").await;
}

#[tokio::test]
async fn a_target_that_is_not_who_is_expected_is_not_used() {
    let pki = Pki::new();
    let backend = backends::after_end("west").await;
    let west = west(&pki, &["*"], &backend).await;
    let (echo, vip) = (port("demo/echo", 80), vip());
    let mut config = pki.config("east");
    // West's gateway under the name of south's: its certificate is good, and not south's.
    let masked = through_gateway(west.gateway.addresses.ingress, "south", &echo);
    config.egress.insert(port("demo/echo", 18_082), outbound(vip, vec![vec![masked]]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.follows("v1").await;

    let mut stream = TcpStream::connect((vip, 18_082)).await.unwrap();
    let reset = ask(&mut stream, "x").await;
    assert!(reset.is_err(), "{reset:?}");
    gateway.counts("isthmus_gateway_refused_total{reason=\"unreachable\"} 1").await;
}

#[tokio::test]
async fn listeners_and_connections_follow_the_imports() {
    let pki = Pki::new();
    let backend = backends::echo().await;
    let west = west(&pki, &["*"], &backend).await;
    let (echo, first, second) = (port("demo/echo", 80), vip(), vip());
    let target = through_gateway(west.gateway.addresses.ingress, "west", &echo);
    let (one, two) = (port("demo/one", 18_083), port("demo/two", 18_083));
    let mut both = pki.config("east");
    both.egress.insert(one.clone(), outbound(first, vec![vec![target.clone()]]));
    both.egress.insert(two.clone(), outbound(second, vec![vec![target]]));
    let agent = FakeAgent::start(&pki, "v1", &both).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.follows("v1").await;

    let mut kept = TcpStream::connect((first, 18_083)).await.unwrap();
    let mut cut = TcpStream::connect((second, 18_083)).await.unwrap();
    let mut answer = [0; 4];
    for stream in [&mut kept, &mut cut] {
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
    }
    let mut only_one = both.clone();
    only_one.egress.remove(&two);
    agent.say("v2", &only_one);
    let ended = tokio::time::timeout(DEADLINE, cut.read_exact(&mut answer)).await.unwrap();
    assert!(ended.is_err());
    gateway.follows("v2").await;
    assert!(TcpStream::connect((second, 18_083)).await.is_err(), "its listener is closed");
    kept.write_all(b"ping").await.unwrap();
    kept.read_exact(&mut answer).await.unwrap();

    // The address of one service may become another's.
    let mut swapped = pki.config("east");
    let port_of_two = both.egress[&two].clone();
    swapped
        .egress
        .insert(two, federation_model::data_plane::OutboundPort { vip: vec![first], ..port_of_two });
    agent.say("v3", &swapped);
    gateway.follows("v3").await;
    let mut again = TcpStream::connect((first, 18_083)).await.unwrap();
    again.write_all(b"ping").await.unwrap();
    again.read_exact(&mut answer).await.unwrap();

    // Trust withdrawn from west ends what goes there.
    let mut withdrawn = swapped.clone();
    withdrawn.bundles.get_mut(&"west.lab".parse().unwrap()).unwrap().authorities.clear();
    agent.say("v4", &withdrawn);
    let ended = tokio::time::timeout(DEADLINE, again.read_exact(&mut answer)).await.unwrap();
    assert!(ended.is_err());
    gateway.counts("isthmus_gateway_ended_total{reason=\"trust_withdrawn\"} 1").await;
}

#[tokio::test]
async fn a_taken_address_is_reported_retried_and_disturbs_no_other() {
    let pki = Pki::new();
    let backend = backends::after_end("here").await;
    let (taken, free) = (vip(), vip());
    let holder = TcpListener::bind((taken, 18_084)).await.unwrap();
    let mut config = pki.config("east");
    config.egress.insert(port("demo/taken", 18_084), outbound(taken, vec![vec![local(backend.address)]]));
    config.egress.insert(port("demo/free", 18_084), outbound(free, vec![vec![local(backend.address)]]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    let report = agent.report(|report| report.version == "v1" && !report.problems.is_empty()).await;
    let problem = &report.problems[0];
    assert!(problem.contains("demo/taken:18084") && problem.contains("another process"), "{problem}");
    let mut stream = TcpStream::connect((free, 18_084)).await.unwrap();
    assert_eq!(ask(&mut stream, "x").await.unwrap(), "here:x");
    assert!(gateway.plane.metrics.bind_failures.get() > 0);

    drop(holder);
    agent.report(|report| report.version == "v1" && report.problems.is_empty()).await;
    let mut stream = TcpStream::connect((taken, 18_084)).await.unwrap();
    assert_eq!(ask(&mut stream, "x").await.unwrap(), "here:x");
}

#[tokio::test]
async fn a_call_without_any_target_is_reset() {
    let pki = Pki::new();
    let vip = vip();
    let mut config = pki.config("east");
    config.egress.insert(port("demo/echo", 18_085), outbound(vip, vec![]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.follows("v1").await;
    let refused = eventually(DEADLINE, async || {
        let Ok(mut stream) = TcpStream::connect((vip, 18_085)).await else { return true };
        ask(&mut stream, "x").await.is_err()
    });
    refused.await.unwrap();
    gateway.counts("isthmus_gateway_refused_total{reason=\"no_endpoint\"} 1").await;
}
