//! Calls from another cluster that get through.

use std::time::Duration;

use east_west_gateway_gateway::metrics::Direction;
use federation_kit::testing::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backends;
use crate::clients::{Caller, ask, exchange};
use crate::fake_agent::FakeAgent;
use crate::world::{DEADLINE, Pki, Running, port, route};

const EAST: &str = "spiffe://east.lab/isthmus/gateway";

#[tokio::test]
async fn a_gateway_mode_service_answers_http_over_mtls() {
    let pki = Pki::new();
    let backend = backends::http("west").await;
    let echo = port("demo/echo", 8080);
    let mut config = pki.config("west");
    config.ingress.insert(echo.clone(), route(&["east"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    for (alpn, write_size) in [("istio", usize::MAX), ("istio-http/1.1", 1)] {
        let caller = Caller { alpn: vec![alpn], write_size, ..Caller::new(&pki, EAST) };
        let mut stream = caller.call(gateway.addresses.ingress, &echo.sni()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
        let request =
            "POST /path HTTP/1.1\r\nhost: echo\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
        let answer = exchange(&mut stream, request).await.unwrap();
        assert!(answer.ends_with("west got /path and 3 bytes"), "{answer}");
    }
    gateway.counts("isthmus_gateway_connections_total{direction=\"ingress\",mode=\"terminate\"} 2").await;
    gateway.counts("isthmus_gateway_connections_active{direction=\"ingress\"} 0").await;
    gateway.counts("isthmus_gateway_ended_total{reason=\"finished\"} 2").await;
    gateway.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_end_to_end_service_ends_its_own_tls() {
    let pki = Pki::new();
    let pod = pki.identity("spiffe://west.lab/ns/demo/sa/echo");
    let backend = backends::tls_after_end("pod", pod, pki.shared_bundles()).await;
    let echo = port("demo/echo", 443);
    let mut config = pki.config("west");
    config.ingress.insert(echo.clone(), route(&["*"], true, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    for write_size in [usize::MAX, 1] {
        let caller = Caller { write_size, ..Caller::new(&pki, "spiffe://east.lab/ns/demo/sa/client") };
        let mut stream = caller.call(gateway.addresses.ingress, &echo.sni()).await.unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap();
        let id = federation_trust::verify::peer_id(shown).unwrap();
        assert_eq!(id.to_string(), "spiffe://west.lab/ns/demo/sa/echo");
        assert_eq!(ask(&mut stream, "over the strait").await.unwrap(), "pod:over the strait");
    }
    gateway.counts("isthmus_gateway_connections_total{direction=\"ingress\",mode=\"relay\"} 2").await;
}

#[tokio::test]
async fn half_closes_and_many_bytes_pass() {
    let pki = Pki::new();
    let backend = backends::after_end("end").await;
    let pod = pki.identity("spiffe://west.lab/ns/demo/sa/echo");
    let tls_backend = backends::tls_after_end("end", pod, pki.shared_bundles()).await;
    let mut config = pki.config("west");
    let (gateway_mode, end_to_end) = (port("demo/a", 80), port("demo/b", 80));
    config.ingress.insert(gateway_mode.clone(), route(&["*"], false, &[backend.address]));
    config.ingress.insert(end_to_end.clone(), route(&["*"], true, &[tls_backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    let text = "0123456789abcdef".repeat(64 * 1024);
    for name in [gateway_mode.sni(), end_to_end.sni()] {
        let caller = Caller::new(&pki, EAST);
        let mut stream = caller.call(gateway.addresses.ingress, &name).await.unwrap();
        // The backend answers only once it has seen the end of what it was sent.
        let answer = ask(&mut stream, &text).await.unwrap();
        assert_eq!(answer.len(), text.len() + 4, "{name}");
        assert!(answer == format!("end:{text}"), "{name}: bytes were changed");
    }
}

#[tokio::test]
async fn a_dead_endpoint_is_passed_over() {
    let pki = Pki::new();
    let alive = backends::after_end("alive").await;
    let dead = backends::after_end("dead").await.stop().await;
    let echo = port("demo/echo", 80);
    let mut config = pki.config("west");
    config.ingress.insert(echo.clone(), route(&["*"], false, &[dead, alive.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    // Each call draws the order anew: twenty calls try the dead one first at least once, but for one in a million.
    for _ in 0..20 {
        let mut stream = Caller::new(&pki, EAST).call(gateway.addresses.ingress, &echo.sni()).await.unwrap();
        assert_eq!(ask(&mut stream, "x").await.unwrap(), "alive:x");
    }
    assert!(gateway.plane.metrics.dial_failures.get() > 0);

    config.ingress.insert(echo.clone(), route(&["*"], false, &[dead]));
    agent.say("v2", &config);
    gateway.follows("v2").await;
    let seen = Caller::new(&pki, EAST).observe(gateway.addresses.ingress, &echo.sni()).await;
    assert!(seen.read.is_err(), "{seen:?}");
    gateway.counts("isthmus_gateway_refused_total{reason=\"unreachable\"} 1").await;
}

#[tokio::test]
async fn a_live_connection_is_closed_when_it_is_no_longer_allowed() {
    let pki = Pki::new();
    let backend = backends::echo().await;
    let echo = port("demo/echo", 80);
    let mut exported = pki.config("west");
    exported.ingress.insert(echo.clone(), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v0", &exported).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    let mut narrowed = exported.clone();
    narrowed.ingress.insert(echo.clone(), route(&["south"], false, &[backend.address]));
    let mut unexported = exported.clone();
    unexported.ingress.clear();
    let mut withdrawn = exported.clone();
    withdrawn.bundles.remove(&"east.lab".parse().unwrap());
    let mut left = exported.clone();
    left.cluster_domains.remove(&"east.lab".parse().unwrap());
    let mut unready = exported.clone();
    unready.ingress.insert(echo.clone(), route(&["*"], false, &[]));

    let changes = [
        ("no_longer_allowed", narrowed),
        ("unexported", unexported),
        ("trust_withdrawn", withdrawn),
        ("caller_left", left),
    ];
    for (version, (reason, change)) in (1..).zip(changes) {
        agent.say(&format!("before-{version}"), &exported);
        gateway.follows(&format!("before-{version}")).await;
        let mut stream = Caller::new(&pki, EAST).call(gateway.addresses.ingress, &echo.sni()).await.unwrap();
        let mut answer = [0; 4];
        stream.write_all(b"ping").await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();

        // Endpoints that are no longer ready keep what they have.
        agent.say(&format!("unready-{version}"), &unready);
        gateway.follows(&format!("unready-{version}")).await;
        stream.write_all(b"ping").await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();

        agent.say(&format!("after-{version}"), &change);
        let ended = tokio::time::timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap();
        assert!(ended.is_err(), "{reason}");
        gateway.counts(&format!("isthmus_gateway_ended_total{{reason=\"{reason}\"}} 1")).await;
    }
}

#[tokio::test]
async fn a_drain_lets_connections_end_and_then_ends_them() {
    let pki = Pki::new();
    let backend = backends::echo().await;
    let echo = port("demo/echo", 80);
    let mut config = pki.config("west");
    config.ingress.insert(echo.clone(), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    let address = gateway.addresses.ingress;
    let plane = gateway.plane.clone();

    let mut polite = Caller::new(&pki, EAST).call(address, &echo.sni()).await.unwrap();
    let mut stubborn = Caller::new(&pki, EAST).call(address, &echo.sni()).await.unwrap();
    let mut answer = [0; 4];
    for stream in [&mut polite, &mut stubborn] {
        stream.write_all(b"ping").await.unwrap();
        stream.flush().await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
    }
    let stopping = tokio::spawn(gateway.stop(Duration::from_secs(3)));
    let closed = async || tokio::net::TcpStream::connect(address).await.is_err();
    eventually(DEADLINE, closed).await.unwrap();
    // The listener is closed, and what it accepted goes on.
    assert_eq!(ask(&mut polite, "more").await.unwrap(), "more");
    eventually(DEADLINE, async || plane.tracker.count(Direction::Ingress) == 1).await.unwrap();
    let ended = tokio::time::timeout(DEADLINE, stubborn.read_exact(&mut answer)).await.unwrap();
    assert!(ended.is_err());
    drop(plane);
    stopping.await.unwrap();
}

#[tokio::test]
async fn connections_over_the_bound_are_closed_and_room_comes_back() {
    let pki = Pki::new();
    let backend = backends::after_end("west").await;
    let echo = port("demo/echo", 80);
    let mut config = pki.config("west");
    config.ingress.insert(echo.clone(), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let limits = east_west_gateway_gateway::config::Limits { max_connections: 1, ..Default::default() };
    let gateway = Running::start_with(&agent.address, directory.path(), limits).await;
    gateway.ready().await;

    let mut first = Caller::new(&pki, EAST).call(gateway.addresses.ingress, &echo.sni()).await.unwrap();
    let second = Caller::new(&pki, EAST).call(gateway.addresses.ingress, &echo.sni()).await;
    assert!(second.is_err());
    gateway.counts("isthmus_gateway_refused_total{reason=\"too_many_connections\"} 1").await;
    assert_eq!(ask(&mut first, "x").await.unwrap(), "west:x");
    eventually(DEADLINE, async || {
        Caller::new(&pki, EAST).call(gateway.addresses.ingress, &echo.sni()).await.is_ok()
    })
    .await
    .unwrap();
}
