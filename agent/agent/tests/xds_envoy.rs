//! Real Envoys, by both protocols: they take everything, carry requests, and follow changes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod xds_support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_agent::xds::bootstrap::Protocol;
use agent_agent::xds::{Inbound, NodeMeta};
use federation_kit::testing::eventually;
use federation_model::ExportScope;
use federation_model::data_plane::{AppProtocol, IngressRoute};
use federation_trust::infra;
use xds_support::envoy::Envoy;
use xds_support::servers::{self, Call, at, backend, http_get, mtls_get, nobody};
use xds_support::{
    Agent, Ca, DEADLINE, agent, bundles, config, domain, gateway, outbound, own_address, plain, port,
    workload,
};

/// What a client's Envoy asks for.
const EVERY: [&str; 5] = ["cds", "eds", "lds", "rds", "sds"];

/// Gives the agent a configuration and waits until the Envoy has accepted all of it.
async fn apply(agent: &Agent, envoy: &Envoy, config: federation_model::data_plane::GatewayConfig) {
    let sequence = agent.config.set(config);
    let settled = agent.status.settled(&envoy.node, sequence);
    let status = tokio::time::timeout(DEADLINE, settled).await.expect("Envoy accepts the change");
    assert_eq!((status.rejected, status.last_error), (0, None));
}

async fn carries_and_follows(protocol: Protocol) {
    let (east, west) = (Ca::new("east"), Ca::new("west"));
    let clusters = || config([("east", &east), ("west", &west)]);
    let agent = agent(&east).await;
    let here = own_address();

    let echo = port("demo/echo", 80);
    let trusted = bundles([&east, &west]);
    let id = infra::gateway_id(&domain("west"));
    let (remote, calls) = servers::remote_gateway(&west, &id, trusted.clone(), "west").await;
    let local = backend("east").await;
    let mut first = clusters();
    first.egress.insert(
        echo.clone(),
        outbound("240.240.0.1", AppProtocol::Http, [vec![gateway(remote, "west", &echo)]]),
    );
    first
        .egress
        .insert(port("demo/local", 8080), outbound("240.240.0.2", AppProtocol::Http, [vec![plain(local)]]));
    first
        .egress
        .insert(port("demo/h2", 9090), outbound("240.240.0.3", AppProtocol::Http2, [vec![plain(local)]]));
    let db = outbound(&here.to_string(), AppProtocol::Tcp, [vec![plain(nobody().await)], vec![plain(local)]]);
    first.egress.insert(port("data/db", 5432), db);
    first.egress.insert(port("data/none", 1), outbound("240.240.0.4", AppProtocol::Http, []));
    agent.config.set(first.clone());

    let meta = NodeMeta { outbound: Some(at(here, 15001)), bind_vips: true, ..workload() };
    let envoy = Envoy::start(&agent, "client", protocol, meta, &EVERY).await;
    envoy.serves(2).await;

    // Over mTLS, with the service's name and our identity.
    let host = "echo.demo.svc.clusterset.local";
    assert_eq!(http_get(at(here, 15001), host, "/").await.unwrap(), (200, "west".to_owned()));
    let call = Call {
        sni: "outbound_.80_._.echo.demo.svc.clusterset.local".to_owned(),
        alpn: "istio".to_owned(),
        caller: "spiffe://east.lab/ns/demo/sa/client".to_owned(),
    };
    assert_eq!(calls.lock().unwrap().as_slice(), [call]);
    // Under each of its names, and not under others.
    for name in ["echo.demo.svc.clusterset.local:80", "240.240.0.1", "240.240.0.1:80"] {
        assert_eq!(http_get(at(here, 15001), name, "/").await.unwrap().0, 200, "{name}");
    }
    assert_eq!(
        http_get(at(here, 15001), "local.demo.svc.clusterset.local:8080", "/").await.unwrap().1,
        "east"
    );
    assert_eq!(http_get(at(here, 15001), "other.demo.svc.clusterset.local", "/").await.unwrap().0, 404);
    assert_eq!(http_get(at(here, 15001), "none.data.svc.clusterset.local", "/").await.unwrap().0, 503);
    // TCP on the VIP itself. A dead first group is passed over once it is known to be dead.
    let reached = eventually(DEADLINE, async || http_get(at(here, 5432), "db", "/").await.ok()).await;
    assert_eq!(reached.unwrap(), (200, "east".to_owned()));

    // A new service arrives, with a dead first group: the request is answered by the second.
    let mut second = first.clone();
    let added = port("demo/added", 80);
    let groups = [vec![plain(nobody().await)], vec![gateway(remote, "west", &added)]];
    second.egress.insert(added, outbound("240.240.0.5", AppProtocol::Http, groups));
    // The mTLS target of another is joined by a plain one: its cluster is replaced, and warms by EDS sent again.
    let joined = outbound("240.240.0.1", AppProtocol::Http, [vec![plain(local)]]);
    second.egress.insert(echo.clone(), joined);
    apply(&agent, &envoy, second.clone()).await;
    let added = "added.demo.svc.clusterset.local";
    assert_eq!(http_get(at(here, 15001), added, "/").await.unwrap(), (200, "west".to_owned()));
    let moved = eventually(DEADLINE, async || {
        http_get(at(here, 15001), host, "/").await.is_ok_and(|answer| answer == (200, "east".to_owned()))
    });
    moved.await.expect("the replaced cluster serves");
    envoy.until_stat("cluster_manager.warming_clusters", 0).await;

    // Endpoints alone change.
    let (other, _) = servers::remote_gateway(&west, &id, trusted, "west-2").await;
    let added = port("demo/added", 80);
    second.egress.get_mut(&added).unwrap().groups =
        outbound("::1", AppProtocol::Http, [vec![gateway(other, "west", &added)]]).groups;
    apply(&agent, &envoy, second.clone()).await;
    let moved = eventually(DEADLINE, async || {
        http_get(at(here, 15001), "added.demo.svc.clusterset.local", "/")
            .await
            .is_ok_and(|answer| answer.1 == "west-2")
    });
    moved.await.expect("the new endpoint is used");

    // Services go, and with them their clusters, listeners and routes.
    second.egress.retain(|id, _| *id == added);
    apply(&agent, &envoy, second).await;
    assert_eq!(http_get(at(here, 15001), host, "/").await.unwrap().0, 404);
    envoy.until_stat("listener_manager.total_listeners_active", 1).await;
    envoy.until_stat("cluster_manager.active_clusters", 2).await; // The service's and the agent's.
    envoy.rejected_nothing().await;
}

#[tokio::test]
async fn delta_carries_and_follows() {
    carries_and_follows(Protocol::Delta).await;
}

#[tokio::test]
async fn state_of_the_world_carries_and_follows() {
    carries_and_follows(Protocol::Sotw).await;
}

/// An agent that comes back without a memory: the Envoy serves on meanwhile, and takes only what changed.
async fn outlives_its_agent(protocol: Protocol) {
    let (east, west) = (Ca::new("east"), Ca::new("west"));
    let agent = agent(&east).await;
    let here = own_address();
    let id = infra::gateway_id(&domain("west"));
    let (remote, _) = servers::remote_gateway(&west, &id, bundles([&east, &west]), "west").await;
    let mut wanted = config([("east", &east), ("west", &west)]);
    let serve = |wanted: &mut federation_model::data_plane::GatewayConfig, service: &str, vip: &str| {
        let id = port(service, 80);
        let groups = [vec![gateway(remote, "west", &id)]];
        wanted.egress.insert(id, outbound(vip, AppProtocol::Http, groups));
    };
    serve(&mut wanted, "demo/echo", "240.240.0.1");
    agent.config.set(wanted.clone());
    let meta = NodeMeta { outbound: Some(at(here, 15001)), ..workload() };
    let envoy = Envoy::start(&agent, "client", protocol, meta, &EVERY).await;
    envoy.serves(1).await;

    let agent = agent.replace(&east).await;
    let host = "echo.demo.svc.clusterset.local";
    assert_eq!(http_get(at(here, 15001), host, "/").await.unwrap(), (200, "west".to_owned()));
    // The new agent hears of the proxy, and says nothing before it has a configuration.
    let back = agent.status.wait_for(|nodes| nodes.contains_key("client"));
    tokio::time::timeout(DEADLINE, back).await.expect("Envoy comes back");
    assert_eq!(http_get(at(here, 15001), host, "/").await.unwrap(), (200, "west".to_owned()));
    serve(&mut wanted, "demo/added", "240.240.0.2");
    agent.config.set(wanted.clone());
    let added = "added.demo.svc.clusterset.local";
    let arrived = eventually(DEADLINE, async || {
        http_get(at(here, 15001), added, "/").await.is_ok_and(|answer| answer == (200, "west".to_owned()))
    });
    arrived.await.expect("the new service serves");
    assert_eq!(
        envoy.stat("cluster_manager.cluster_modified").await,
        Some(0),
        "what did not change was not replaced"
    );
    assert_eq!(http_get(at(here, 15001), host, "/").await.unwrap(), (200, "west".to_owned()));
    wanted.egress.remove(&port("demo/echo", 80));
    apply(&agent, &envoy, wanted).await;
    envoy.until_stat("cluster_manager.active_clusters", 2).await;
    envoy.rejected_nothing().await;
}

#[tokio::test]
async fn delta_outlives_its_agent() {
    outlives_its_agent(Protocol::Delta).await;
}

#[tokio::test]
async fn state_of_the_world_outlives_its_agent() {
    outlives_its_agent(Protocol::Sotw).await;
}

#[tokio::test]
async fn a_gateway_with_another_identity_is_not_believed() {
    let (east, west) = (Ca::new("east"), Ca::new("west"));
    let agent = agent(&east).await;
    let here = own_address();
    let trusted = bundles([&east, &west]);
    let mut wanted = config([("east", &east), ("west", &west)]);
    // Of the right domain and not the gateway; and signed by the authority of another domain.
    let echo = port("demo/echo", 80);
    let workload_id = "spiffe://west.lab/ns/demo/sa/thief".parse().unwrap();
    let (thief, _) = servers::remote_gateway(&west, &workload_id, trusted.clone(), "thief").await;
    let groups = [vec![gateway(thief, "west", &echo)]];
    wanted.egress.insert(echo, outbound("240.240.0.1", AppProtocol::Http, groups));
    let forged = port("demo/forged", 80);
    let (forger, _) =
        servers::remote_gateway(&east, &infra::gateway_id(&domain("east")), trusted, "forger").await;
    let groups = [vec![gateway(forger, "west", &forged)]];
    wanted.egress.insert(forged, outbound("240.240.0.2", AppProtocol::Http, groups));
    agent.config.set(wanted);
    let meta = NodeMeta { outbound: Some(at(here, 15001)), ..workload() };
    let envoy = Envoy::start(&agent, "client", Protocol::Delta, meta, &EVERY).await;
    envoy.serves(1).await;
    for (host, failure) in [
        ("echo.demo.svc.clusterset.local", "fail_verify_san"),
        ("forged.demo.svc.clusterset.local", "fail_verify"),
    ] {
        let (status, body) = http_get(at(here, 15001), host, "/").await.unwrap();
        assert_eq!(status, 503, "{host}: {body}");
        let stats = envoy.admin(&format!("/stats?usedonly&filter={host}.ssl.{failure}")).await;
        assert!(stats.lines().any(|line| !line.ends_with(": 0")), "{host}: {stats}");
    }
    envoy.rejected_nothing().await;
}

#[tokio::test]
async fn end_to_end_lets_in_who_is_in_the_scope() {
    let (east, west, south) = (Ca::new("east"), Ca::new("west"), Ca::new("south"));
    let stranger = Ca::new("west");
    let agent = agent(&east).await;
    let here = own_address();
    let mut wanted = config([("east", &east), ("west", &west), ("south", &south)]);
    let named = |cluster: &str| cluster.parse().unwrap();
    let route = |scope| IngressRoute { scope, end_to_end: true, endpoints: Arc::default() };
    let to_west = route(ExportScope::Clusters(BTreeSet::from([named("west")])));
    wanted.ingress = BTreeMap::from([(port("demo/shop", 80), to_west)]);
    agent.config.set(wanted.clone());
    let shop = backend("shop").await;
    let inbound = |service: &str, listen| Inbound {
        service: service.parse().unwrap(),
        namespace: "demo".parse().unwrap(),
        port: 80.try_into().unwrap(),
        listen: at(here, listen),
        backend: shop,
    };
    let inbound = vec![inbound("shop", 15006), inbound("secret", 15007)];
    let meta = NodeMeta { outbound: Some(at(here, 15001)), inbound, ..workload() };
    let envoy = Envoy::start(&agent, "server", Protocol::Delta, meta, &["cds", "lds", "rds", "sds"]).await;
    envoy.serves(3).await;

    let sni = port("demo/shop", 80).sni();
    let trusts = || bundles([&east, &west, &south]);
    let call = async |port, who| mtls_get(at(here, port), &sni, who, trusts()).await;
    let from_west = Some((&west, "spiffe://west.lab/ns/demo/sa/client"));
    let from_east = Some((&east, "spiffe://east.lab/ns/demo/sa/client"));
    let from_south = Some((&south, "spiffe://south.lab/ns/demo/sa/client"));
    let from_stranger = Some((&stranger, "spiffe://west.lab/ns/demo/sa/client"));
    assert_eq!(call(15006, from_west).await.unwrap(), (200, "shop".to_owned()));
    assert_eq!(call(15006, from_east).await.unwrap(), (200, "shop".to_owned()), "the exporter itself");
    assert!(call(15006, from_south).await.is_err(), "not in the scope");
    assert!(call(15006, None).await.is_err(), "no certificate");
    assert!(call(15006, from_stranger).await.is_err(), "another authority");
    assert!(call(15007, from_west).await.is_err(), "not exported");

    // The scope grows.
    wanted.ingress.insert(port("demo/shop", 80), route(ExportScope::All));
    apply(&agent, &envoy, wanted).await;
    let reached = eventually(DEADLINE, async || call(15006, from_south).await.ok()).await;
    assert_eq!(reached.unwrap(), (200, "shop".to_owned()));
    envoy.rejected_nothing().await;
}
