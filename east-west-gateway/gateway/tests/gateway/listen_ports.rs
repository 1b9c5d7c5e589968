//! Egress at ports of the gateway's own, as on Kubernetes: kube-proxy sends what goes to a VIP there.

use std::num::NonZeroU16;
use std::time::Instant;

use east_west_gateway_gateway::config::{Config, Egress};
use federation_model::data_plane::{GatewayConfig, OutboundPort, Target};
use tokio::net::{TcpListener, TcpStream};

use crate::backends;
use crate::clients::ask;
use crate::fake_agent::FakeAgent;
use crate::world::{Pki, Running, configured, local, outbound, port, vip};

fn listening(listen: u16, groups: Vec<Vec<Target>>) -> OutboundPort {
    OutboundPort { listen_port: NonZeroU16::new(listen), ..outbound("240.240.0.5".parse().unwrap(), groups) }
}

/// A gateway whose egress listens on an address of loopback that no other test uses.
async fn start(agent: &FakeAgent, directory: &std::path::Path, own: std::net::IpAddr) -> Running {
    let config = Config {
        egress: Egress { enabled: true, listen: vec![own] },
        ..configured(&agent.address, directory)
    };
    Running::start_configured(&config).await
}

#[tokio::test]
async fn an_import_is_served_at_its_port_whoever_has_the_vip() {
    let pki = Pki::new();
    let (one, two) = (backends::after_end("one").await, backends::after_end("two").await);
    let own = vip();
    let mut config = pki.config("east");
    config.egress.insert(port("demo/one", 80), listening(16_001, vec![vec![local(one.address)]]));
    config.egress.insert(port("demo/two", 80), listening(16_002, vec![vec![local(two.address)]]));
    config.egress.insert(port("demo/none", 80), listening(16_003, vec![]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(&agent, directory.path(), own).await;
    // Ready means that the listeners were tried: what is sent here from then on is served.
    gateway.ready().await;
    let call = async |port: u16| {
        let mut stream = TcpStream::connect((own, port)).await.unwrap();
        ask(&mut stream, "x").await
    };
    assert_eq!(call(16_001).await.unwrap(), "one:x");
    assert_eq!(call(16_002).await.unwrap(), "two:x");
    assert!(call(16_003).await.is_err(), "nothing serves it: refused at once");
    gateway.counts("isthmus_gateway_egress_listeners{state=\"listening\"} 3").await;

    // The ports change hands.
    config.egress.insert(port("demo/one", 80), listening(16_002, vec![vec![local(one.address)]]));
    config.egress.insert(port("demo/two", 80), listening(16_001, vec![vec![local(two.address)]]));
    config.egress.remove(&port("demo/none", 80));
    agent.say("v2", &config);
    gateway.follows("v2").await;
    assert_eq!(call(16_001).await.unwrap(), "two:x");
    assert_eq!(call(16_002).await.unwrap(), "one:x");
    assert!(TcpStream::connect((own, 16_003)).await.is_err(), "it is closed");

    // A port that somebody else holds is a problem of that import alone.
    let _holder = TcpListener::bind((own, 16_004)).await.unwrap();
    config.egress.insert(port("demo/three", 80), listening(16_004, vec![]));
    agent.say("v3", &config);
    let report = agent.report(|report| report.version == "v3").await;
    assert!(report.problems[0].contains("demo/three:80"), "{:?}", report.problems);
    gateway.counts("isthmus_gateway_egress_listeners{state=\"failed\"} 1").await;
    assert_eq!(call(16_001).await.unwrap(), "two:x");
}

/// As many listeners as a large clusterset has imports. How long it takes is printed, and judged by people.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_among_two_thousand_listeners() {
    const LISTENERS: u16 = 2_000;
    let pki = Pki::new();
    let backend = backends::after_end("here").await;
    let own = vip();
    let import = |n: u16| listening(20_000 + n, vec![vec![local(backend.address)]]);
    let mut config: GatewayConfig = pki.config("east");
    config.egress = (0..LISTENERS).map(|n| (port(&format!("demo/s{n}"), 80), import(n))).collect();
    let agent = FakeAgent::start(&pki, "v0", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let gateway = start(&agent, directory.path(), own).await;
    gateway.ready().await;
    gateway.follows("v0").await;
    println!("{LISTENERS} listeners opened in {:?}", begun.elapsed());
    gateway.counts(&format!("isthmus_gateway_egress_listeners{{state=\"listening\"}} {LISTENERS}")).await;
    let mut stream = TcpStream::connect((own, 20_000 + LISTENERS - 1)).await.unwrap();
    assert_eq!(ask(&mut stream, "x").await.unwrap(), "here:x");

    let moving = port("demo/s7", 80);
    for n in 1..=5_u16 {
        let version = format!("v{n}");
        config.egress.insert(moving.clone(), import(LISTENERS + n));
        let begun = Instant::now();
        agent.say(&version, &config);
        gateway.follows(&version).await;
        println!("one of {LISTENERS} listeners moved in {:?}", begun.elapsed());
        TcpStream::connect((own, 20_000 + LISTENERS + n)).await.unwrap();
    }
    config.egress.clear();
    let begun = Instant::now();
    agent.say("v9", &config);
    gateway.follows("v9").await;
    println!("{LISTENERS} listeners closed in {:?}", begun.elapsed());
    assert!(TcpStream::connect((own, 20_000)).await.is_err());
}
