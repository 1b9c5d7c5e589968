//! The law of the index, and the cases that are easily got wrong.

use std::collections::BTreeMap;

use agent_plan::mcs::names;
use federation_model::IpFamily;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn item<T: Wire>(object: &Value) -> Item<T> {
    let text = |field: &str| Arc::from(object["metadata"][field].as_str().unwrap_or_default());
    let key = Key { namespace: text("namespace"), name: text("name") };
    Item { key, read: T::read(&object.to_string()) }
}

fn set<T: Wire>(object: Value) -> Update {
    T::update(Change::Set(item(&object)))
}

fn remove<T: Wire>(namespace: &str, name: &str) -> Update {
    T::update(Change::Remove(Key { namespace: namespace.into(), name: name.into() }))
}

fn namespace(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

fn service(name: &str, port: u16) -> Value {
    json!({"metadata": {"namespace": "demo", "name": name}, "spec": {"ports": [{"port": port}]}})
}

fn slice(name: &str, of: &str, address: u8) -> Value {
    json!({"metadata": {"namespace": "demo", "name": name, "labels": {"kubernetes.io/service-name": of}},
           "addressType": "IPv4", "ports": [{"port": 80}],
           "endpoints": [{"addresses": [format!("10.0.0.{address}")]}]})
}

fn export(name: &str, label: u8) -> Value {
    json!({"metadata": {"namespace": "demo", "name": name}, "spec": {"exportedLabels": {"n": label.to_string()}}})
}

fn index() -> Index {
    Index::new(Some("demo/gateway".parse().unwrap()), None)
}

#[test]
fn only_what_is_exported_is_published_and_only_what_changes_touches_it() {
    let mut index = index();
    assert!(index.apply(set::<NamespaceItem>(namespace("demo"))).local);
    assert!(!index.apply(set::<ServiceItem>(service("echo", 80))).local);
    assert!(!index.apply(set::<SliceItem>(slice("echo-1", "echo", 1))).local);
    assert!(index.local.objects().services.is_empty());
    assert!(index.apply(set::<ExportItem>(export("echo", 1))).local);
    let objects = index.local.objects().clone();
    assert_eq!((objects.services.len(), objects.slices.len()), (1, 1));
    for same in [
        set::<ServiceItem>(service("echo", 80)),
        set::<SliceItem>(slice("echo-1", "echo", 1)),
        set::<ExportItem>(export("echo", 1)),
        set::<SliceItem>(slice("other-1", "other", 1)),
        set::<ServiceItem>(service("other", 80)),
        remove::<ServiceItem>("demo", "other"),
    ] {
        assert!(!index.apply(same).local);
    }
    let echo = "demo/echo".parse().unwrap();
    assert!(index.apply(set::<SliceItem>(slice("echo-2", "echo", 2))).local);
    let now = index.local.objects();
    let first = |objects: &LocalObjects| Arc::clone(&objects.slices[&echo]["echo-1"]);
    assert!(Arc::ptr_eq(&first(&objects), &first(now)), "what did not change is shared");
    assert!(Arc::ptr_eq(&objects.services[&echo], &now.services[&echo]));
}

#[test]
fn a_slice_whose_label_moves_leaves_its_old_service() {
    let mut index = index();
    for object in [export("a", 0), export("b", 0)] {
        index.apply(set::<ExportItem>(object));
    }
    index.apply(set::<SliceItem>(slice("s", "a", 1)));
    assert!(index.apply(set::<SliceItem>(slice("s", "b", 1))).local);
    let owners: Vec<String> = index.local.objects().slices.keys().map(ToString::to_string).collect();
    assert_eq!(owners, ["demo/b"]);
    let mut unlabelled = slice("s", "b", 1);
    unlabelled["metadata"]["labels"] = json!({});
    assert!(index.apply(set::<SliceItem>(unlabelled)).local);
    assert!(index.local.objects().slices.is_empty());
}

#[test]
fn an_export_that_is_being_deleted_exports_nothing_and_is_still_observed() {
    let mut index = index();
    index.apply(set::<ExportItem>(export("echo", 0)));
    let mut leaving = export("echo", 0);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let touched = index.apply(set::<ExportItem>(leaving));
    assert!(touched.local && touched.observed);
    assert!(
        index.local.objects().exports.is_empty() && index.view().exports.values().all(|held| held.deleting)
    );
}

#[test]
fn what_is_ours_is_observed_and_never_exported() {
    let mut index = index();
    let echo = "demo/echo".parse().unwrap();
    let name = names::derived_name(&echo);
    let mut ours = service(&name.name, 80);
    ours["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "isthmus"});
    let touched = index.apply(set::<ServiceItem>(ours.clone()));
    assert!(touched.observed && !touched.local);
    let slice_name = names::derived_slice_name(&name, IpFamily::IPv4);
    let mut our_slice = slice(&slice_name.name, &name.name, 1);
    our_slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = json!("isthmus.dev");
    index.apply(set::<SliceItem>(our_slice));
    assert_eq!((index.count(Kind::Services), index.view().slices.len()), (1, 1));
    assert!(index.view().derived[&name].ours);
    // Somebody took the label away: it is theirs now, and the controller must know that it is in the way.
    ours["metadata"]["labels"] = json!({});
    index.apply(set::<ServiceItem>(ours));
    assert!(!index.view().derived[&name].ours);
    index.apply(remove::<ServiceItem>("demo", &name.name));
    index.apply(remove::<SliceItem>("demo", &slice_name.name));
    assert!(index.view().derived.is_empty() && index.view().slices.is_empty());
}

#[test]
fn an_object_that_cannot_be_read_counts_as_before_and_a_list_without_it_ends_that() {
    let mut index = index();
    index.apply(set::<ExportItem>(export("echo", 0)));
    let bad = json!({"metadata": {"namespace": "demo", "name": "echo"}, "spec": {"exportedLabels": 1}});
    let touched = index.apply(set::<ExportItem>(bad.clone()));
    assert!(touched.problems && !touched.local);
    let list = ExportItem::update(Change::Replace(vec![item(&bad)]));
    assert!(!index.apply(list).local);
    assert_eq!((index.local.objects().exports.len(), index.problems.told().len()), (1, 1));
    let touched = index.apply(ExportItem::update(Change::Replace(Vec::new())));
    assert!(touched.local && index.local.objects().exports.is_empty() && index.problems.told().is_empty());
}

#[test]
fn gateways_are_told_by_the_type_of_their_service() {
    let gateway = |spec: Value, status: Value| {
        let mut spec = spec;
        spec["ports"] = json!([{"name": "metrics", "port": 15020},
                               {"name": "mtls", "port": 443, "nodePort": 30443}]);
        json!({"metadata": {"namespace": "demo", "name": "gateway"}, "spec": spec, "status": status})
    };
    let node = |name: &str, address: &str, ready: &str| {
        json!({"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": "z1"}},
               "status": {"addresses": [{"type": "InternalIP", "address": address},
                                        {"type": "Hostname", "address": name}],
                          "conditions": [{"type": "Ready", "status": ready}]}})
    };
    let mut pods = slice("gateway-1", "gateway", 7);
    pods["ports"] = json!([{"name": "mtls", "port": 15443}]);
    pods["endpoints"][0]["nodeName"] = json!("n1");
    let ingress = |of: Value| json!({"loadBalancer": {"ingress": [of]}});
    let cases = [
        (gateway(json!({"type": "ClusterIP"}), json!({})), vec!["10.0.0.7:15443"], None),
        (gateway(json!({"type": "NodePort"}), json!({})), vec!["192.0.2.1:30443", "192.0.2.2:30443"], None),
        (
            gateway(json!({"type": "NodePort", "externalTrafficPolicy": "Local"}), json!({})),
            vec!["192.0.2.1:30443"],
            None,
        ),
        (
            gateway(json!({"type": "LoadBalancer"}), ingress(json!({"ip": "198.51.100.4"}))),
            vec!["198.51.100.4:443"],
            None,
        ),
        (
            gateway(json!({"type": "LoadBalancer"}), ingress(json!({"hostname": "lb.example"}))),
            vec![],
            Some("[[gateways]]"),
        ),
        (gateway(json!({"type": "LoadBalancer"}), json!({})), vec![], Some("no address")),
    ];
    for (service, external, problem) in cases {
        let mut index = index();
        assert!(index.gateways.current().problem.is_some(), "there is no Service yet");
        for object in [
            node("n1", "192.0.2.1", "True"),
            node("n2", "192.0.2.2", "True"),
            node("n3", "192.0.2.3", "False"),
        ] {
            index.apply(set::<NodeItem>(object));
        }
        index.apply(set::<SliceItem>(pods.clone()));
        assert!(index.apply(set::<ServiceItem>(service.clone())).gateways);
        assert!(!index.apply(set::<ServiceItem>(service.clone())).gateways);
        let now = index.gateways.current();
        let found: Vec<String> = now.external.iter().map(|gateway| gateway.address.to_string()).collect();
        assert_eq!(found, external, "{service}");
        assert_eq!(now.ready.len(), 1);
        assert_eq!(now.problem.is_some(), problem.is_some());
        assert!(problem.is_none_or(|part| now.problem.unwrap().contains(part)));
    }
}

/// One thing that happens in a cluster.
#[derive(Debug, Clone)]
enum Step {
    Namespace(usize, bool),
    Service(usize, Option<u16>),
    Slice(usize, Option<(usize, u8)>),
    Export(usize, Option<u8>),
    /// A watch was too old, and the kind was listed again.
    Relist(usize),
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    prop_oneof![
        (name.clone(), any::<bool>()).prop_map(|(name, there)| Step::Namespace(name, there)),
        (name.clone(), proptest::option::of(1..3_u16)).prop_map(|(name, port)| Step::Service(name, port)),
        (name.clone(), proptest::option::of((name.clone(), 1..3_u8)))
            .prop_map(|(name, of)| Step::Slice(name, of)),
        (name, proptest::option::of(1..3_u8)).prop_map(|(name, label)| Step::Export(name, label)),
        (0..4_usize).prop_map(Step::Relist),
    ]
}

/// The API server, as it should be known.
#[derive(Debug, Default)]
struct Cluster([BTreeMap<&'static str, Value>; 4]);

impl Cluster {
    fn put(&mut self, kind: usize, name: usize, object: Option<Value>) {
        match object {
            Some(object) => drop(self.0[kind].insert(NAMES[name], object)),
            None => drop(self.0[kind].remove(NAMES[name])),
        }
    }

    fn list(&self, kind: usize) -> Update {
        fn all<T: Wire>(objects: &BTreeMap<&str, Value>) -> Update {
            T::update(Change::Replace(objects.values().map(item).collect()))
        }
        match kind {
            0 => all::<NamespaceItem>(&self.0[0]),
            1 => all::<ServiceItem>(&self.0[1]),
            2 => all::<SliceItem>(&self.0[2]),
            _ => all::<ExportItem>(&self.0[3]),
        }
    }
}

fn event<T: Wire>(name: usize, object: Option<Value>) -> Update {
    let namespace = if T::KIND == Kind::Namespaces { "" } else { "demo" };
    object.map_or_else(|| remove::<T>(namespace, NAMES[name]), set::<T>)
}

proptest! {
    /// Whatever happens in whatever order, and whenever anything is listed again, the result is that of a fresh list.
    #[test]
    fn any_history_is_as_good_as_a_fresh_list(steps in proptest::collection::vec(step(), 0..60)) {
        let mut cluster = Cluster::default();
        let mut index = index();
        for step in steps {
            let before = index.local.objects().clone();
            let update = match step {
                Step::Namespace(name, there) => {
                    let object = there.then(|| namespace(NAMES[name]));
                    cluster.put(0, name, object.clone());
                    event::<NamespaceItem>(name, object)
                }
                Step::Service(name, port) => {
                    let object = port.map(|port| service(NAMES[name], port));
                    cluster.put(1, name, object.clone());
                    event::<ServiceItem>(name, object)
                }
                Step::Slice(name, of) => {
                    let object = of.map(|(of, address)| slice(NAMES[name], NAMES[of], address));
                    cluster.put(2, name, object.clone());
                    event::<SliceItem>(name, object)
                }
                Step::Export(name, label) => {
                    let object = label.map(|label| export(NAMES[name], label));
                    cluster.put(3, name, object.clone());
                    event::<ExportItem>(name, object)
                }
                Step::Relist(kind) => cluster.list(kind),
            };
            let touched = index.apply(update);
            prop_assert_eq!(touched.local, &before != index.local.objects(), "it is published when, and only when, it changed");
        }
        let mut fresh = self::index();
        for kind in 0..4 {
            fresh.apply(cluster.list(kind));
        }
        prop_assert_eq!(index.local.objects(), fresh.local.objects());
        // What an earlier run knew does not matter once everything was listed.
        let mut again = Index::new(None, Some(index.local.objects()));
        prop_assert_eq!(again.local.objects(), fresh.local.objects());
        for kind in 0..4 {
            let touched = again.apply(cluster.list(kind));
            prop_assert!(!touched.local);
        }
        prop_assert_eq!(again.local.objects(), fresh.local.objects());
    }
}
