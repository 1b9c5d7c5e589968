//! Where the configuration comes from, and what happens when it does not.

use std::time::Duration;

use federation_kit::testing::eventually;

use crate::backends;
use crate::clients::{Caller, ask};
use crate::fake_agent::{FakeAgent, message};
use crate::world::{DEADLINE, Pki, Running, port, route};

const EAST: &str = "spiffe://east.lab/isthmus/gateway";

async fn works(pki: &Pki, gateway: &Running) {
    let name = port("demo/echo", 80).sni();
    let mut stream = Caller::new(pki, EAST).call(gateway.addresses.ingress, &name).await.unwrap();
    assert_eq!(ask(&mut stream, "x").await.unwrap(), "west:x");
}

#[tokio::test]
async fn a_gateway_serves_without_its_agent_also_after_a_restart() {
    let pki = Pki::new();
    let backend = backends::after_end("west").await;
    let mut config = pki.config("west");
    config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
    let directory = tempfile::tempdir().unwrap();
    let socket = federation_kit::grpc::LocalAddr::Unix(directory.path().join("agent.sock"));
    let agent = FakeAgent::start_at(&socket, &pki, "v1", &config).await;
    let data = directory.path().join("data");
    let gateway = Running::start(&agent.address, &data).await;
    gateway.ready().await;
    works(&pki, &gateway).await;

    agent.kill().await;
    works(&pki, &gateway).await;
    gateway.stop(Duration::from_secs(5)).await;

    let gateway = Running::start(&socket, &data).await;
    // What is on disk is in force before anything is served, and the egress follows.
    assert_eq!(gateway.plane.current().map(|applied| applied.version.clone()), Some("v1".to_owned()));
    gateway.ready().await;
    works(&pki, &gateway).await;

    // The agent comes back with something new.
    config.ingress.insert(port("demo/more", 80), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start_at(&socket, &pki, "v2", &config).await;
    gateway.follows("v2").await;
    agent.report(|report| report.version == "v2" && report.problems.is_empty()).await;
    works(&pki, &gateway).await;

    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("identity.pem"), mode("configuration")), (0o600, 0o600));
}

#[tokio::test]
async fn a_bad_configuration_is_refused_whole_and_said_so() {
    let pki = Pki::new();
    let backend = backends::after_end("west").await;
    let mut config = pki.config("west");
    config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;

    // One wrong field among good ones, and an export withdrawn: neither takes effect.
    config.ingress.clear();
    let mut bad = message("v2", &config);
    bad.cluster_domains[0].cluster = "Not A Cluster".to_owned();
    agent.say_message(bad);
    let report = agent.report(|report| report.version == "v2").await;
    assert!(report.problems[0].contains("cluster_domains[0]"), "{:?}", report.problems);
    works(&pki, &gateway).await;
    gateway.counts("isthmus_gateway_configurations_total{outcome=\"refused\"} 1").await;

    // A broken authority of one cluster is a problem, and stops nobody else's configuration.
    config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
    let south = config.bundles.get_mut(&"south.lab".parse().unwrap()).unwrap();
    south.authorities[0].0 = vec![0x30, 0];
    agent.say("v3", &config);
    let report = agent.report(|report| report.version == "v3").await;
    assert!(report.problems[0].contains("south.lab"), "{:?}", report.problems);
    works(&pki, &gateway).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_passed_over() {
    let pki = Pki::new();
    let backend = backends::after_end("west").await;
    let mut config = pki.config("west");
    config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("configuration"), "isthmus-gateway configuration 99\n").unwrap();
    std::fs::write(directory.path().join("identity.pem"), "nothing").unwrap();
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    works(&pki, &gateway).await;
}

#[tokio::test]
async fn a_gateway_that_moves_to_another_cluster_gets_that_clusters_certificate() {
    let pki = Pki::new();
    let directory = tempfile::tempdir().unwrap();
    let agent = FakeAgent::start(&pki, "v1", &pki.config("west")).await;
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    gateway.stop(Duration::from_secs(5)).await;
    agent.kill().await;

    let agent = FakeAgent::start(&pki, "v2", &pki.config("south")).await;
    let gateway = Running::start(&agent.address, directory.path()).await;
    let moved = async || {
        gateway
            .plane
            .identity
            .get()
            .is_some_and(|identity| identity.id().to_string() == "spiffe://south.lab/isthmus/gateway")
    };
    eventually(DEADLINE, moved).await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_replaced_long_before_it_runs_out() {
    // Dated back by a minute, so that half of its life is over a few seconds from now.
    let mut pki = Pki::new();
    pki.gateway_life = Duration::from_secs(64);
    let backend = backends::after_end("west").await;
    let mut config = pki.config("west");
    config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
    let agent = FakeAgent::start(&pki, "v1", &config).await;
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(&agent.address, directory.path()).await;
    gateway.ready().await;
    let first = gateway.plane.identity.get().unwrap();
    let renewed = eventually(DEADLINE, async || {
        gateway.plane.identity.get().is_some_and(|now| now.not_after() > first.not_after())
    });
    renewed.await.unwrap();
    works(&pki, &gateway).await;
}
