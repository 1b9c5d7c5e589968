use std::collections::BTreeMap;
use std::num::NonZeroU16;

use proptest::prelude::*;

use super::*;
use crate::export::{ExportScope, MtlsMode};
use crate::ids::{Generation, UnixMillis};
use crate::ip_family::IpFamily;

type Port<'a> = (Option<&'a str>, Protocol, u16);
/// A merged port, and who serves it.
type Served<'a> = (Port<'a>, Vec<&'a str>);
const HTTP: Port<'static> = (Some("http"), Protocol::Tcp, 80);
const ADMIN: Port<'static> = (Some("admin"), Protocol::Tcp, 9_000);

fn port((name, protocol, port): Port<'_>) -> ServicePort {
    ServicePort {
        name: name.map(|n| n.parse().unwrap()),
        protocol,
        app_protocol: None,
        port: NonZeroU16::new(port).unwrap(),
    }
}

fn export(cluster: &str, first_seen: u64, ports: &[Port<'_>]) -> Export {
    Export {
        cluster: cluster.parse().unwrap(),
        service: "demo/echo".parse().unwrap(),
        first_seen: UnixMillis(first_seen),
        generation: Generation(1),
        kind: ExportKind::ClusterSetIp,
        ports: ports.iter().copied().map(port).collect(),
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: Vec::new(),
        endpoints: Vec::new(),
    }
}

fn merge(exports: &[Export]) -> Import {
    Import::merge(exports).unwrap()
}

fn clusters(import: &Import) -> Vec<&str> {
    import.clusters.iter().map(ClusterId::as_str).collect()
}

fn conflicts(import: &Import) -> Vec<Conflict> {
    import.conflicts.keys().copied().collect()
}

/// The merged ports with those who serve them.
fn served(import: &Import) -> Vec<Served<'_>> {
    let mut rows = Vec::new();
    for ImportPort { port, clusters } in &import.ports {
        let port = (port.name.as_ref().map(|n| n.as_str()), port.protocol, port.port.get());
        rows.push((port, clusters.iter().map(ClusterId::as_str).collect()));
    }
    rows
}

#[test]
fn nothing_merges_to_nothing() {
    assert_eq!(Import::merge([]), None);
}

#[test]
fn one_export_is_its_own_import() {
    let mut only = export("east", 5, &[HTTP, ADMIN]);
    only.session_affinity = SessionAffinity::ClientIp { timeout_seconds: 60 };
    let import = merge(std::slice::from_ref(&only));
    assert_eq!(import.service, only.service);
    assert_eq!(import.session_affinity, only.session_affinity);
    assert_eq!(served(&import), [(HTTP, vec!["east"]), (ADMIN, vec!["east"])]);
    assert!(import.conflicts.is_empty());
}

#[test]
fn ports_are_united_and_each_goes_only_to_who_has_it() {
    let import = merge(&[export("east", 1, &[HTTP]), export("west", 2, &[ADMIN, HTTP])]);
    assert_eq!(served(&import), [(HTTP, vec!["east", "west"]), (ADMIN, vec!["west"])]);
    assert_eq!(clusters(&import), ["east", "west"]);
    assert_eq!(conflicts(&import), [Conflict::PortConflict]);
}

#[test]
fn the_oldest_wins_a_port_conflict() {
    // What the newer export `west` says, and what `east`, with http at TCP 80, makes of it.
    let cases: [(&str, Port<'_>, Vec<Served<'_>>); 5] = [
        ("same", HTTP, vec![(HTTP, vec!["east", "west"])]),
        ("same name, other number", (Some("http"), Protocol::Tcp, 81), vec![(HTTP, vec!["east"])]),
        ("same number, other name", (Some("web"), Protocol::Tcp, 80), vec![(HTTP, vec!["east"])]),
        ("same name, other protocol", (Some("http"), Protocol::Udp, 80), vec![(HTTP, vec!["east"])]),
        (
            "same number, other name and protocol",
            (Some("quic"), Protocol::Udp, 80),
            vec![(HTTP, vec!["east"]), ((Some("quic"), Protocol::Udp, 80), vec!["west"])],
        ),
    ];
    for (what, newer, want) in cases {
        let import = merge(&[export("east", 1, &[HTTP]), export("west", 2, &[newer])]);
        assert_eq!(served(&import), want, "{what}");
        assert_eq!(import.conflicts.contains_key(&Conflict::PortConflict), newer != HTTP, "{what}");
    }
}

#[test]
fn an_exporter_whose_port_lost_is_still_an_exporter() {
    let import =
        merge(&[export("east", 1, &[HTTP]), export("west", 2, &[(Some("http"), Protocol::Tcp, 81)])]);
    assert_eq!(clusters(&import), ["east", "west"]);
}

#[test]
fn another_app_protocol_is_a_conflict_that_the_oldest_wins() {
    let mut newer = export("west", 2, &[HTTP]);
    newer.ports[0].app_protocol = Some("grpc".to_owned());
    let import = merge(&[newer, export("east", 1, &[HTTP])]);
    assert_eq!(import.ports[0].port.app_protocol, None);
    assert_eq!(served(&import), [(HTTP, vec!["east", "west"])]);
    assert_eq!(conflicts(&import), [Conflict::PortConflict]);
}

#[test]
fn ports_in_another_order_are_no_conflict() {
    let import = merge(&[export("east", 1, &[HTTP, ADMIN]), export("west", 2, &[ADMIN, HTTP])]);
    assert!(import.conflicts.is_empty());
}

#[test]
fn a_port_said_twice_is_served_once() {
    let import = merge(&[export("east", 1, &[HTTP, HTTP])]);
    assert_eq!(served(&import), [(HTTP, vec!["east"])]);
}

#[test]
fn exporters_of_the_losing_type_are_left_out_with_their_ports() {
    let mut headless = export("east", 2, &[ADMIN]);
    headless.kind = ExportKind::Headless;
    let import = merge(&[headless.clone(), export("west", 1, &[HTTP])]);
    assert_eq!(import.kind, ExportKind::ClusterSetIp);
    assert_eq!(clusters(&import), ["west"]);
    assert_eq!(served(&import), [(HTTP, vec!["west"])]);
    assert_eq!(conflicts(&import), [Conflict::PortConflict, Conflict::TypeConflict]);

    headless.first_seen = UnixMillis(0);
    let import = merge(&[headless, export("west", 1, &[HTTP])]);
    assert_eq!((import.kind, clusters(&import)), (ExportKind::Headless, vec!["east"]));
}

#[test]
fn of_two_of_the_same_age_the_first_by_name_wins() {
    let mut west = export("west", 1, &[HTTP]);
    west.session_affinity = SessionAffinity::ClientIp { timeout_seconds: 1 };
    let mut east = west.clone();
    east.cluster = "east".parse().unwrap();
    east.session_affinity = SessionAffinity::ClientIp { timeout_seconds: 2 };
    let import = merge(&[west, east.clone()]);
    assert_eq!(import.session_affinity, east.session_affinity);
    assert_eq!(clusters(&import), ["east", "west"]);
}

#[test]
fn every_kind_of_disagreement_is_named() {
    type Change = fn(&mut Export);
    let cases: [(Change, Option<Conflict>); 12] = [
        (|_| {}, None),
        (|e| e.generation = Generation(9), None),
        (|e| e.scope = ExportScope::Clusters(BTreeSet::new()), None),
        (|e| e.kind = ExportKind::Headless, Some(Conflict::TypeConflict)),
        (|e| e.ports.clear(), Some(Conflict::PortConflict)),
        (
            |e| e.session_affinity = SessionAffinity::ClientIp { timeout_seconds: 1 },
            Some(Conflict::SessionAffinityConflict),
        ),
        (
            |e| e.internal_traffic_policy = InternalTrafficPolicy::Local,
            Some(Conflict::InternalTrafficPolicyConflict),
        ),
        (
            |e| e.traffic_distribution = Some("PreferClose".to_owned()),
            Some(Conflict::TrafficDistributionConflict),
        ),
        // Behind a VIP the gateways translate; and what is not known is no disagreement.
        (|e| e.ip_families = BTreeSet::from([IpFamily::IPv6]), None),
        (|e| e.first_seen = UnixMillis(9), None),
        (|e| drop(e.labels.insert("a".to_owned(), "b".to_owned())), Some(Conflict::LabelsConflict)),
        (|e| drop(e.annotations.insert("a".to_owned(), "b".to_owned())), Some(Conflict::AnnotationsConflict)),
    ];
    for (change, want) in cases {
        let mut other = export("west", 2, &[HTTP]);
        change(&mut other);
        let import = merge(&[export("east", 1, &[HTTP]), other]);
        assert_eq!(conflicts(&import), Vec::from_iter(want));
    }
}

#[test]
fn who_disagrees_with_the_oldest_is_named() {
    let exports = [export("east", 1, &[HTTP]), export("west", 2, &[ADMIN]), export("south", 3, &[HTTP])];
    let import = merge(&exports);
    assert_eq!(import.conflicts[&Conflict::PortConflict], BTreeSet::from(["west".parse().unwrap()]));
    assert_eq!(import.oldest().unwrap().as_str(), "east");
    assert_eq!(import.exporters.len(), 3);
}

#[test]
fn the_same_affinity_for_another_time_is_a_conflict_of_its_configuration() {
    let lasting = |cluster, age, timeout_seconds| Export {
        session_affinity: SessionAffinity::ClientIp { timeout_seconds },
        ..export(cluster, age, &[HTTP])
    };
    let import = merge(&[lasting("east", 1, 10), lasting("west", 2, 20)]);
    assert_eq!(conflicts(&import), [Conflict::SessionAffinityConfigConflict]);
    assert_eq!(import.session_affinity, SessionAffinity::ClientIp { timeout_seconds: 10 });
}

#[test]
fn headless_exports_of_different_families_are_in_conflict() {
    let headless = |cluster, age, families: &[IpFamily]| Export {
        kind: ExportKind::Headless,
        ip_families: families.iter().copied().collect(),
        ..export(cluster, age, &[HTTP])
    };
    let v4 = headless("east", 1, &[IpFamily::IPv4]);
    let import = merge(&[v4.clone(), headless("west", 2, &[IpFamily::IPv4, IpFamily::IPv6])]);
    assert_eq!(conflicts(&import), [Conflict::IPFamilyConflict]);
    assert!(merge(&[v4.clone(), headless("west", 2, &[IpFamily::IPv4])]).conflicts.is_empty());
    assert!(merge(&[v4, headless("west", 2, &[])]).conflicts.is_empty(), "not known");
}

fn any_exports() -> impl Strategy<Value = Vec<Export>> {
    let names = [Some("a"), Some("b"), None];
    let any_port = (0..names.len(), any::<bool>(), 1..4u16).prop_map(move |(name, tcp, number)| {
        port((names[name], if tcp { Protocol::Tcp } else { Protocol::Udp }, number))
    });
    let any_ports = proptest::collection::vec(any_port, 0..4);
    let one =
        (0..3u64, any::<bool>(), any_ports, 0..3u32).prop_map(|(age, headless, ports, timeout_seconds)| {
            let mut export = export("x", age, &[]);
            export.ports = ports;
            export.session_affinity = SessionAffinity::ClientIp { timeout_seconds };
            if headless {
                export.kind = ExportKind::Headless;
            }
            export
        });
    // One export per cluster, as the catalogue has them.
    proptest::collection::vec(one, 1..5).prop_map(|mut exports| {
        for (export, cluster) in exports.iter_mut().zip(["north", "east", "south", "west"]) {
            export.cluster = cluster.parse().unwrap();
        }
        exports
    })
}

proptest! {
    #[test]
    fn the_order_of_exports_does_not_matter(
        (exports, shuffled) in any_exports().prop_flat_map(|e| (Just(e.clone()), Just(e).prop_shuffle())),
    ) {
        prop_assert_eq!(Import::merge(&exports), Import::merge(&shuffled));
    }

    #[test]
    fn merged_ports_are_unique_and_served_by_who_has_them(exports in any_exports()) {
        let import = merge(&exports);
        let mut names = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for merged in &import.ports {
            prop_assert!(names.insert(merged.port.name.clone()));
            prop_assert!(numbers.insert((merged.port.protocol, merged.port.port)));
            let unique: BTreeSet<_> = merged.clusters.iter().collect();
            prop_assert_eq!(unique.len(), merged.clusters.len());
            prop_assert!(!unique.is_empty());
            for cluster in unique {
                let export = exports.iter().find(|e| &e.cluster == cluster).unwrap();
                prop_assert_eq!(export.kind, import.kind);
                let named = |p: &ServicePort| (p.name.clone(), p.protocol, p.port);
                let has = export.ports.iter().any(|p| named(p) == named(&merged.port));
                prop_assert!(has, "an exporter is given a port that it does not have");
            }
        }
    }
}
