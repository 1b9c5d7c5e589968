use std::collections::BTreeMap;
use std::num::NonZeroU16;

use east_west_gateway_route::RefusalReason;
use federation_model::bundle::AuthorityDer;
use federation_model::data_plane::{AppProtocol, GatewayConfig, IngressRoute, OutboundPort, ServicePortId};
use federation_model::{Bundle, ExportScope};

use super::*;

fn target() -> ServicePortId {
    ServicePortId { service: "demo/echo".parse().unwrap(), port: NonZeroU16::MIN }
}

fn applied(change: impl FnOnce(&mut GatewayConfig)) -> Arc<Applied> {
    let bundle = |name: &str| Bundle {
        trust_domain: name.parse().unwrap(),
        authorities: vec![AuthorityDer(vec![1])],
        sequence: 1,
        refresh_hint: 1,
    };
    let route = IngressRoute { scope: ExportScope::All, end_to_end: false, endpoints: Arc::default() };
    let outbound =
        OutboundPort { vip: vec![], listen_port: None, app: AppProtocol::Tcp, groups: Default::default() };
    let mut config = GatewayConfig {
        cluster: "west".parse().unwrap(),
        trust_domain: "west.lab".parse().unwrap(),
        bundles: ["east.lab", "west.lab"].map(|name| (name.parse().unwrap(), bundle(name))).into(),
        cluster_domains: BTreeMap::from([("east.lab".parse().unwrap(), "east".parse().unwrap())]),
        ingress: BTreeMap::from([(target(), route)]),
        egress: BTreeMap::from([(target(), outbound)]),
    };
    change(&mut config);
    Arc::new(Applied { version: "v".to_owned(), config })
}

fn caller() -> Purpose {
    Purpose::Terminated { target: target(), caller: "spiffe://east.lab/isthmus/gateway".parse().unwrap() }
}

fn outbound() -> Purpose {
    Purpose::Outbound { port: target(), domain: Some("east.lab".parse().unwrap()) }
}

#[tokio::test]
async fn a_change_closes_exactly_what_it_forbids() {
    let tracker = Tracker::default();
    tracker.apply(applied(|_| ()));
    let mut caller = tracker.enter(caller()).unwrap();
    let mut outward = tracker.enter(outbound()).unwrap();
    assert_eq!(tracker.apply(applied(|_| ())), 0);
    assert_eq!(tracker.apply(applied(|config| config.ingress.clear())), 1);
    assert_eq!(caller.closed().await, CloseReason::NoLongerAllowed(RefusalReason::UnknownName));
    // Told once, not again.
    assert_eq!(tracker.apply(applied(|config| config.ingress.clear())), 0);
    assert_eq!(tracker.apply(applied(|config| config.egress.clear())), 1);
    assert_eq!(outward.closed().await, CloseReason::NoLongerImported);
}

#[tokio::test]
async fn whoever_enters_after_a_change_is_judged_by_it() {
    let tracker = Tracker::default();
    tracker.apply(applied(|config| config.bundles.clear()));
    assert_eq!(tracker.enter(caller()).err(), Some(CloseReason::TrustWithdrawn));
    assert_eq!(tracker.enter(outbound()).err(), Some(CloseReason::TrustWithdrawn));
    tracker.apply(applied(|config| config.bundles.values_mut().for_each(|b| b.authorities.clear())));
    assert_eq!(tracker.enter(outbound()).err(), Some(CloseReason::TrustWithdrawn));
    assert_eq!(tracker.count(Direction::Ingress) + tracker.count(Direction::Egress), 0);
}

#[tokio::test]
async fn relayed_connections_need_an_end_to_end_export() {
    let end_to_end = |config: &mut GatewayConfig| {
        config.ingress.values_mut().for_each(|route| route.end_to_end = true);
    };
    let tracker = Tracker::default();
    tracker.apply(applied(end_to_end));
    let mut live = tracker.enter(Purpose::Relayed { target: target() }).unwrap();
    assert_eq!(tracker.apply(applied(|_| ())), 1);
    assert_eq!(live.closed().await, CloseReason::NoLongerAllowed(RefusalReason::NotExportedToCaller));
}

#[tokio::test]
async fn a_dropped_connection_is_off_the_list_and_a_drain_closes_the_rest() {
    let tracker = Tracker::default();
    let gone = tracker.enter(caller()).unwrap();
    let mut left = tracker.enter(outbound()).unwrap();
    drop(gone);
    assert_eq!((tracker.count(Direction::Ingress), tracker.count(Direction::Egress)), (0, 1));
    tracker.close_all(CloseReason::Draining);
    assert_eq!(left.closed().await, CloseReason::Draining);
}
