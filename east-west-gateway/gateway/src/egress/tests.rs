use std::num::NonZeroU16;

use federation_model::data_plane::{AppProtocol, GatewayConfig};
use federation_trust::BundleSet;
use prometheus_client::registry::Registry;

use super::*;
use crate::config::Limits;
use crate::metrics::Metrics;

fn port(service: &str, port: u16) -> ServicePortId {
    ServicePortId { service: service.parse().unwrap(), port: NonZeroU16::new(port).unwrap() }
}

fn applied(version: &str, imports: &[(&str, u16)]) -> Arc<Applied> {
    let egress = imports.iter().map(|(service, listen)| {
        let vip = vec!["240.240.0.1".parse().unwrap()];
        let outbound = OutboundPort {
            vip,
            listen_port: NonZeroU16::new(*listen),
            app: AppProtocol::Tcp,
            groups: Default::default(),
        };
        (port(service, 80), outbound)
    });
    let config = GatewayConfig {
        cluster: "east".parse().unwrap(),
        trust_domain: "east.lab".parse().unwrap(),
        bundles: BTreeMap::new(),
        cluster_domains: BTreeMap::new(),
        ingress: BTreeMap::new(),
        egress: egress.collect(),
    };
    Arc::new(Applied { version: version.to_owned(), config })
}

/// The lowest of `count` neighbouring ports that are free on loopback now.
fn free_ports(count: u16) -> u16 {
    let free =
        |from: &u16| (*from..from + count).all(|p| std::net::TcpListener::bind(("127.0.0.1", p)).is_ok());
    let begin = 17_000 + u16::try_from(std::process::id() % 300).unwrap() * 10;
    (begin..).step_by(usize::from(count)).find(free).unwrap()
}

fn egress(most: usize) -> Egress {
    let metrics = Metrics::new(&mut Registry::default());
    let plane = Arc::new(Plane::new(Limits::default(), metrics));
    let listen = vec!["127.0.0.1".parse().unwrap()];
    Egress::new(plane, EgressOptions { enabled: true, listen, most }, None)
}

/// The state of the listener of each service, in order.
fn states(egress: &Egress) -> Vec<(String, Option<String>)> {
    let state = egress.subscribe();
    let state = state.borrow();
    let failure = |state: &ListenerState| match state {
        ListenerState::Listening => None,
        ListenerState::Failed(why) => Some(why.clone()),
    };
    state.listeners.iter().map(|l| (l.target.service.name.to_string(), failure(&l.state))).collect()
}

#[tokio::test]
async fn what_is_over_the_bound_is_a_problem_and_gets_a_place_that_is_given_up() {
    let first = free_ports(3);
    let mut egress = egress(2);
    let all = [("demo/a", first), ("demo/b", first + 1), ("demo/c", first + 2)];
    egress.plane.apply(applied("v1", &all), BundleSet::default());
    egress.reconcile(&applied("v1", &all)).await;
    let seen = states(&egress);
    assert_eq!((seen[0].1.as_deref(), seen[1].1.as_deref()), (None, None));
    let problem = seen[2].1.clone().unwrap();
    assert!(problem.contains("at most 2") && problem.contains("limit of open files"), "{problem}");
    assert_eq!(egress.state.borrow().problems().len(), 1);

    // Its retry finds the place that another gave up.
    let fewer = applied("v2", &all[1..]);
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    egress.reconcile(&fewer).await;
    assert_eq!(states(&egress), [("b".to_owned(), None), ("c".to_owned(), None)]);
}

#[tokio::test]
async fn two_that_are_given_one_port_are_told_and_the_port_can_change_hands() {
    let first = free_ports(1);
    let mut egress = egress(100);
    egress.reconcile(&applied("v1", &[("demo/a", first), ("demo/b", first)])).await;
    let seen = states(&egress);
    assert_eq!(seen[0], ("a".to_owned(), None));
    assert_eq!(seen[1], ("b".to_owned(), Some("the address belongs to demo/a:80".to_owned())));
    // The old one is closed first, or this would find the address taken.
    egress.reconcile(&applied("v2", &[("demo/b", first)])).await;
    assert_eq!(states(&egress), [("b".to_owned(), None)]);
    egress.reconcile(&applied("v3", &[])).await;
    assert_eq!(states(&egress), []);
    std::net::TcpListener::bind(("127.0.0.1", first)).unwrap();
}

#[test]
fn a_report_is_bounded() {
    let failed = |n: u16| ListenerStatus {
        listen: (std::net::Ipv4Addr::LOCALHOST, n).into(),
        target: port("demo/a", n),
        state: ListenerState::Failed("no".to_owned()),
    };
    let state = EgressState { version: None, listeners: (1..=2_000).map(failed).collect() };
    let problems = state.problems();
    assert_eq!(problems.len(), 49);
    assert_eq!(problems[48], "egress: 1952 more listeners failed, see /status of the gateway");
}
