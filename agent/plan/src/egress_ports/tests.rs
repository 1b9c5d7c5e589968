use proptest::prelude::*;

use super::*;

fn id(text: &str) -> ServicePortId {
    text.parse().unwrap()
}

fn range(text: &str) -> PortRange {
    text.parse().unwrap()
}

fn many(count: usize) -> Vec<ServicePortId> {
    (0..count).map(|number| id(&format!("demo/s{number}:80"))).collect()
}

#[test]
fn ranges_are_read_as_written() {
    assert_eq!(PortRange::default().to_string(), "16000-24999");
    assert_eq!(range("16000-24999"), PortRange::default());
    assert_eq!(PortRange::default().len(), 9_000);
    assert_eq!(range("1-65535").len(), 65_535);
    assert_eq!(range("7-7").len(), 1);
    for wrong in ["", "16000", "0-7", "7-0", "8-7", "1-65536", "a-b", "1-2-3"] {
        assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
    }
    let wrong = "8-7".parse::<PortRange>().unwrap_err().to_string();
    assert_eq!(wrong, "the last port, 7, is lower than the first, 8");
}

#[test]
fn a_port_stays_as_long_as_its_import() {
    let mut ports = EgressPorts::new(range("16000-16003"));
    assert!(ports.assign(many(3)));
    let before = ports.ports();
    assert!(!ports.assign(many(3)));
    assert!(ports.is_for(&many(3).into_iter().collect::<BTreeSet<_>>()) && !ports.is_for(&many(2)));
    assert!(Arc::ptr_eq(&before, &ports.ports()), "nothing changed, so nothing is copied");

    let kept = many(3).split_off(1);
    assert!(ports.assign(kept.iter().cloned().chain([id("demo/new:80")])));
    for id in &kept {
        assert_eq!(ports.ports()[id], before[id]);
    }
    assert!(!ports.ports().contains_key(&id("demo/s0:80")));
}

#[test]
fn a_lost_file_gives_mostly_the_same_ports() {
    let mut one = EgressPorts::new(PortRange::default());
    one.assign(many(300));
    let mut other = EgressPorts::new(PortRange::default());
    other.assign(many(300).split_off(100));
    let (one, other) = (one.ports(), other.ports());
    let same = other.iter().filter(|(id, port)| one[*id] == **port).count();
    assert!(same > 190, "only {same} of 200 are the same");
}

#[test]
fn a_full_range_leaves_the_rest_without_and_says_so() {
    let mut ports = EgressPorts::new(range("16000-16001"));
    assert_eq!(ports.problem(), None);
    ports.assign(many(9));
    assert_eq!(ports.ports().len(), 2);
    assert_eq!(
        ports.problem().unwrap().to_string(),
        "all 2 ports of [gateway] egress_ports = \"16000-16001\" are taken, and 7 imported ports have none: demo/s2:80, \
         demo/s3:80, demo/s4:80, demo/s5:80, demo/s6:80 and others; pods without a proxy cannot reach these: make the \
         range larger"
    );
    let had = ports.ports();
    ports.assign(had.keys().take(1).cloned().chain([id("demo/late:80")]));
    assert_eq!(ports.problem(), None, "a port was given back");
    assert!(ports.ports().contains_key(&id("demo/late:80")));
}

#[test]
fn what_is_in_use_is_taken_over_but_not_twice_and_not_from_elsewhere() {
    let port = |number: u16| NonZeroU16::new(number).unwrap();
    let mut ports = EgressPorts::new(range("16000-16009"));
    ports.adopt([
        (id("demo/a:80"), port(16_001)),
        (id("demo/b:80"), port(16_001)),
        (id("demo/c:80"), port(30_000)),
        (id("demo/a:80"), port(16_002)),
    ]);
    assert_eq!(*ports.ports(), BTreeMap::from([(id("demo/a:80"), port(16_001))]));
    ports.assign([id("demo/a:80"), id("demo/b:80")]);
    assert_eq!(ports.ports()[&id("demo/a:80")], port(16_001));
}

#[test]
fn a_saved_assignment_is_restored_and_a_later_version_is_refused() {
    let mut ports = EgressPorts::new(range("16000-16009"));
    ports.assign([id("demo/a:80"), id("demo/b:443")]);
    let text = serde_json::to_string(&ports.save()).unwrap();
    assert!(text.starts_with("{\"version\":1,\"ports\":{\"demo/a:80\":160"), "{text}");
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let restored = EgressPorts::restore(range("16000-16009"), saved.clone());
    assert_eq!(restored.ports(), ports.ports());
    assert!(EgressPorts::restore(range("17000-17009"), saved).ports().is_empty());
    let later = serde_json::from_str::<Saved>(&text.replace("\"version\":1", "\"version\":2")).unwrap_err();
    assert!(later.to_string().starts_with("it is of version 2, and this agent knows 1"), "{later}");
    let twice = r#"{"version":1,"ports":{"demo/a:80":16001,"demo/b:80":16001}}"#;
    let restored = EgressPorts::restore(range("16000-16009"), serde_json::from_str(twice).unwrap());
    assert_eq!(restored.ports().len(), 1, "two imports at one port would be mixed up");
}

#[test]
fn derived_slices_tell_the_ports_in_use() {
    let yaml = "
kind: Federation
exports:
- {cluster: west, service: demo/echo, ports: ['http:80/TCP', 'other:81/TCP', 'dns:53/UDP']}
---
kind: Namespace
metadata: {name: demo}
";
    let (input, mut api) = crate::mcs::tests::world::world(yaml);
    api.settle(&input);
    assert_eq!(in_use(&api.observe()), *input.listen_ports);
    assert_eq!(in_use(&Observed::default()), BTreeMap::new());
}

proptest! {
    #[test]
    fn no_two_imports_share_a_port_and_none_moves(
        rounds in proptest::collection::vec(proptest::collection::btree_set(0..12usize, 0..12), 1..6),
    ) {
        let range = range("100-107");
        let mut ports = EgressPorts::new(range);
        for wanted in rounds {
            let before = ports.ports();
            let wanted: BTreeSet<ServicePortId> = wanted.iter().map(|n| id(&format!("demo/s{n}:80"))).collect();
            let changed = ports.assign(wanted.iter().cloned());
            let now = ports.ports();
            prop_assert_eq!(changed, before != now);
            let distinct: BTreeSet<_> = now.values().collect();
            prop_assert_eq!(distinct.len(), now.len());
            prop_assert_eq!(now.len(), wanted.len().min(range.len()));
            prop_assert_eq!(ports.problem().map_or(0, |p| p.missing), wanted.len() - now.len());
            for (id, port) in now.iter() {
                prop_assert!(wanted.contains(id) && range.contains(*port));
                prop_assert!(before.get(id).is_none_or(|was| was == port));
            }
        }
    }
}
