use super::*;
use crate::endpoint::{Endpoint, MAX_ENDPOINTS};
use crate::export::{MAX_LOCALITIES, MAX_METADATA, MAX_NAMES, MAX_PORTS};

fn small_ranges(v4: &str) -> Command {
    let vips = VipRanges { v4: v4.parse().unwrap(), ..VipRanges::DEFAULT };
    Command::Configure { vips }
}

fn stored<'a>(machine: &'a Machine, exporter: &str) -> &'a Export {
    machine.state.export(&service("echo"), &cluster(exporter)).unwrap()
}

#[test]
fn the_first_put_is_dated_by_the_leader_and_later_ones_keep_the_date() {
    let mut machine = Machine { now: 40, ..Machine::with_clusters(&["east"]) };
    let pretender = Export { first_seen: UnixMillis(1), ..export("east", "echo", 1) };
    machine.put(pretender.clone());
    assert_eq!(stored(&machine, "east").first_seen, UnixMillis(40));
    machine.now = 50;
    machine.put(Export { generation: Generation(2), kind: ExportKind::Headless, ..pretender });
    assert_eq!(stored(&machine, "east").first_seen, UnixMillis(40));
    assert_eq!(stored(&machine, "east").kind, ExportKind::Headless);
    // Withdrawn and offered again it is a new export.
    machine.accept(remove("east", "echo", 2));
    machine.put(export("east", "echo", 3));
    assert_eq!(stored(&machine, "east").first_seen, UnixMillis(50));
}

#[test]
fn a_change_names_the_vip_and_then_the_export() {
    let mut machine = Machine::with_clusters(&["east"]);
    let both = [ItemKey::Vip(service("echo")), ItemKey::Export(service("echo"), cluster("east"))];
    assert_eq!(machine.put(export("east", "echo", 1)), both);
    // The same content again is no news, whatever its generation; the generation is kept all the same.
    assert_eq!(machine.put(export("east", "echo", 1)), []);
    assert_eq!(machine.put(export("east", "echo", 5)), []);
    assert_eq!(stored(&machine, "east").generation, Generation(5));
    let scoped = Export { scope: only(&["west"]), ..export("east", "echo", 5) };
    assert_eq!(machine.put(scoped), both);
}

#[test]
fn an_older_generation_neither_replaces_nor_removes() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.put(export("east", "echo", 5));
    let stale = |given| Rejection::StaleGeneration {
        service: service("echo"),
        given: Generation(given),
        present: Generation(5),
    };
    assert_eq!(machine.refuse(put(1, export("east", "echo", 4))), stale(4));
    assert_eq!(machine.refuse(remove("east", "echo", 4)), stale(4));
    assert_eq!(
        machine.accept(remove("east", "echo", 5)),
        [ItemKey::Export(service("echo"), cluster("east")), ItemKey::Vip(service("echo"))]
    );
    // What is not there is removed already.
    assert_eq!(machine.accept(remove("east", "echo", 5)), []);
}

#[test]
fn removing_one_exporter_leaves_the_others() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    machine.put(export("east", "echo", 1));
    machine.put(export("west", "echo", 1));
    machine.accept(remove("east", "echo", 1));
    let left: Vec<_> = machine.state.exports_of(&service("echo")).map(|e| e.cluster.clone()).collect();
    assert_eq!(left, [cluster("west")]);
}

#[test]
fn a_vip_is_one_for_all_exporters_and_never_moves() {
    let mut machine = Machine::with_clusters(&["east", "west"]);
    machine.put(export("east", "echo", 1));
    let vip = *machine.state.vip(&service("echo")).unwrap();
    assert_eq!(Some(vip), VipRanges::DEFAULT.nth(0));
    machine.put(export("west", "echo", 1));
    machine.accept(remove("east", "echo", 1));
    machine.accept(remove("west", "echo", 1));
    machine.put(export("west", "other", 1));
    assert_eq!(machine.state.vip(&service("other")).copied(), VipRanges::DEFAULT.nth(1));
    machine.put(export("east", "echo", 2));
    assert_eq!(machine.state.vip(&service("echo")), Some(&vip));
}

#[test]
fn a_headless_service_takes_no_vip() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.put(Export { kind: ExportKind::Headless, ..export("east", "echo", 1) });
    assert_eq!(machine.state.vips().count(), 0);
}

#[test]
fn a_small_range_ends_and_says_so() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.accept(small_ranges("10.0.0.0/30"));
    machine.put(export("east", "a", 1));
    machine.put(export("east", "b", 1));
    assert_eq!(machine.refuse(put(1, export("east", "c", 1))), Rejection::VipsExhausted);
    // Who has one keeps it, and who needs none is not refused.
    machine.put(export("east", "a", 2));
    machine.put(Export { kind: ExportKind::Headless, ..export("east", "c", 1) });
}

#[test]
fn ranges_are_fixed_by_the_first_vip() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.accept(small_ranges("10.0.0.0/16"));
    machine.accept(small_ranges("10.1.0.0/16"));
    machine.put(export("east", "a", 1));
    machine.accept(small_ranges("10.2.0.0/16"));
    machine.put(export("east", "b", 1));
    assert_eq!(machine.state.vip_ranges().v4, "10.1.0.0/16".parse().unwrap());
    assert_eq!(
        machine.state.vip(&service("b")).unwrap().v4,
        "10.1.0.2".parse::<std::net::Ipv4Addr>().unwrap()
    );
}

#[test]
fn every_list_of_an_export_is_bounded() {
    type Grow = fn(&mut Export, usize);
    fn metadata(count: usize) -> BTreeMap<String, String> {
        (0..count).map(|n| (n.to_string(), String::new())).collect()
    }
    let cases: [(&str, usize, Grow); 7] = [
        ("ports", MAX_PORTS, |e, n| e.ports = vec![e.ports[0].clone(); n]),
        ("localities", MAX_LOCALITIES, |e, n| e.localities = vec![e.localities[0].clone(); n]),
        ("endpoints", MAX_ENDPOINTS, |e, n| {
            let address = "10.0.0.1".parse().unwrap();
            e.endpoints = vec![Endpoint { address, hostname: None, zone: None, ready: true }; n];
        }),
        ("clusters in the scope", MAX_NAMES, |e, n| {
            e.scope = ExportScope::Clusters((0..n).map(|c| format!("c{c}").parse().unwrap()).collect());
        }),
        ("identities", MAX_NAMES, |e, n| {
            let id = |i| format!("spiffe://east.lab/{i}").parse().unwrap();
            e.mtls = MtlsMode::EndToEnd { identities: (0..n).map(id).collect() };
        }),
        ("exported labels", MAX_METADATA, |e, n| e.labels = metadata(n)),
        ("exported annotations", MAX_METADATA, |e, n| e.annotations = metadata(n)),
    ];
    for (what, max, grow) in cases {
        let mut machine = Machine::with_clusters(&["east"]);
        let mut export = export("east", "echo", 1);
        grow(&mut export, max + 1);
        let (given, bound) = (max as u64 + 1, max as u64);
        let want = Rejection::TooMany { what: what.to_owned(), given, max: bound };
        assert_eq!(machine.refuse(put(1, export.clone())), want);
        grow(&mut export, max);
        machine.put(export);
    }
}
