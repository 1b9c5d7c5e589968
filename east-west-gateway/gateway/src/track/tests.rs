use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::OnceLock;

use east_west_gateway_route::RefusalReason;
use federation_model::bundle::AuthorityDer;
use federation_model::data_plane::{AppProtocol, GatewayConfig, IngressRoute, OutboundPort, ServicePortId};
use federation_model::{Bundle, ExportScope};
use federation_trust::bundle_set::AnchorId;
use federation_trust::{Authority, Lifetime};

use super::*;
use crate::tls::Caller;

fn target() -> ServicePortId {
    ServicePortId { service: "demo/echo".parse().unwrap(), port: NonZeroU16::MIN }
}

/// The authority that every test's peers of a domain are vouched for by.
fn authority(name: &str) -> &'static Authority {
    static KNOWN: OnceLock<Vec<Authority>> = OnceLock::new();
    let all = KNOWN.get_or_init(|| ["east.lab", "west.lab"].map(another).into());
    all.iter().find(|authority| authority.domain().as_str() == name).unwrap()
}

fn another(name: &str) -> Authority {
    Authority::create(&name.parse().unwrap(), Lifetime { not_before: 0, not_after: 4_000_000_000 }).unwrap()
}

fn bundle(authority: &Authority) -> Bundle {
    Bundle {
        trust_domain: authority.domain().clone(),
        authorities: vec![authority.bundle_authority()],
        sequence: 1,
        refresh_hint: 1,
    }
}

fn anchor(name: &str) -> AnchorId {
    let (bundles, _) = BundleSet::from_bundles([&bundle(authority(name))]);
    bundles.get(&name.parse().unwrap()).unwrap()[0].id()
}

fn apply(tracker: &Tracker, change: impl FnOnce(&mut GatewayConfig)) -> usize {
    let applied = applied(change);
    let (bundles, _) = BundleSet::from_bundles(applied.config.bundles.values());
    tracker.apply(applied, Arc::new(bundles))
}

fn applied(change: impl FnOnce(&mut GatewayConfig)) -> Arc<Applied> {
    let route = IngressRoute { scope: ExportScope::All, end_to_end: false, endpoints: Arc::default() };
    let outbound =
        OutboundPort { vip: vec![], listen_port: None, app: AppProtocol::Tcp, groups: Default::default() };
    let mut config = GatewayConfig {
        cluster: "west".parse().unwrap(),
        trust_domain: "west.lab".parse().unwrap(),
        bundles: ["east.lab", "west.lab"].map(|name| (name.parse().unwrap(), bundle(authority(name)))).into(),
        cluster_domains: BTreeMap::from([("east.lab".parse().unwrap(), "east".parse().unwrap())]),
        ingress: BTreeMap::from([(target(), route)]),
        egress: BTreeMap::from([(target(), outbound)]),
    };
    change(&mut config);
    Arc::new(Applied { version: "v".to_owned(), config })
}

fn caller() -> Purpose {
    let id = "spiffe://east.lab/isthmus/gateway".parse().unwrap();
    Purpose::Terminated { target: target(), caller: Caller { id, anchor: anchor("east.lab") } }
}

fn outbound() -> Purpose {
    let voucher = Voucher { domain: "east.lab".parse().unwrap(), anchor: anchor("east.lab") };
    Purpose::Outbound { port: target(), voucher: Some(voucher) }
}

#[tokio::test]
async fn a_change_closes_exactly_what_it_forbids() {
    let tracker = Tracker::default();
    apply(&tracker, |_| ());
    let mut caller = tracker.enter(caller()).unwrap();
    let mut outward = tracker.enter(outbound()).unwrap();
    assert_eq!(apply(&tracker, |_| ()), 0);
    assert_eq!(apply(&tracker, |config| config.ingress.clear()), 1);
    assert_eq!(caller.closed().await, CloseReason::NoLongerAllowed(RefusalReason::UnknownName));
    // Told once, not again.
    assert_eq!(apply(&tracker, |config| config.ingress.clear()), 0);
    assert_eq!(apply(&tracker, |config| config.egress.clear()), 1);
    assert_eq!(outward.closed().await, CloseReason::NoLongerImported);
}

#[tokio::test]
async fn whoever_enters_after_a_change_is_judged_by_it() {
    let tracker = Tracker::default();
    apply(&tracker, |config| config.bundles.clear());
    assert_eq!(tracker.enter(caller()).err(), Some(CloseReason::TrustWithdrawn));
    assert_eq!(tracker.enter(outbound()).err(), Some(CloseReason::TrustWithdrawn));
    apply(&tracker, |config| config.bundles.values_mut().for_each(|b| b.authorities.clear()));
    assert_eq!(tracker.enter(outbound()).err(), Some(CloseReason::TrustWithdrawn));
    assert_eq!(tracker.count(Direction::Ingress) + tracker.count(Direction::Egress), 0);
}

#[tokio::test]
async fn relayed_connections_need_an_end_to_end_export() {
    let end_to_end = |config: &mut GatewayConfig| {
        config.ingress.values_mut().for_each(|route| route.end_to_end = true);
    };
    let tracker = Tracker::default();
    apply(&tracker, end_to_end);
    let mut live = tracker.enter(Purpose::Relayed { target: target() }).unwrap();
    assert_eq!(apply(&tracker, |_| ()), 1);
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

#[tokio::test]
async fn a_connection_ends_with_the_authority_that_vouched_for_it() {
    let replace = |by: Vec<AuthorityDer>| {
        move |config: &mut GatewayConfig| {
            config.bundles.get_mut(&"east.lab".parse().unwrap()).unwrap().authorities = by;
        }
    };
    let (old, new) = (authority("east.lab").bundle_authority(), another("east.lab").bundle_authority());
    let tracker = Tracker::default();
    apply(&tracker, |_| ());
    let mut inward = tracker.enter(caller()).unwrap();
    let mut outward = tracker.enter(outbound()).unwrap();
    assert_eq!(apply(&tracker, replace(vec![new.clone(), old])), 0, "one more changes nothing");
    assert_eq!(apply(&tracker, replace(vec![new])), 2);
    assert_eq!(inward.closed().await, CloseReason::TrustWithdrawn);
    assert_eq!(outward.closed().await, CloseReason::TrustWithdrawn);
    assert_eq!(tracker.enter(caller()).err(), Some(CloseReason::TrustWithdrawn), "believed a moment before");
}
