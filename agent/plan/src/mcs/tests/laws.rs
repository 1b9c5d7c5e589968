//! Laws: whatever an API server holds, it comes to hold what it should, and then nothing is written; what is not ours
//! is never touched; and the order in which things are told does not matter.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::IpFamily;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::api::Api;
use super::world::{self, Federation, Offered, Served};
use crate::mcs::names::{MANAGED_BY, OURS, SLICE_MANAGED_BY, SLICE_OURS};
use crate::mcs::{desired, diff, foreign};

const CLUSTERS: [&str; 3] = ["east", "south", "west"];
const SERVICES: [&str; 5] = ["demo/a", "demo/b", "demo/c", "other/a", "nowhere/a"];
const PORTS: [&str; 6] = [":80/TCP", "http:80/TCP", "http:81/TCP", "dns:53/UDP", "p80:443/TCP", "x:80/UDP"];
/// The last two could not be on any object.
const KEYS: [&str; 5] = ["team", "example.com/team", "app.kubernetes.io/managed-by", "-no", "no spaces"];

fn offered() -> impl Strategy<Value = Offered> {
    let shape = (0..3usize, 0..5usize, 0..3u64, prop::bool::weighted(0.3), btree_set(0..6usize, 0..4));
    let flags =
        (any::<bool>(), option::of(5..7u32), any::<bool>(), option::of(Just("PreferClose".to_owned())));
    let metadata =
        || btree_map(prop::sample::select(&KEYS[..]), prop::sample::select(&["", "a", "-"][..]), 0..3);
    let scope = option::weighted(0.2, btree_set(0..3usize, 0..3));
    let own = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    let endpoints = vec((0..4u8, any::<bool>(), any::<bool>()), 0..4);
    (shape, flags, (metadata(), metadata()), scope, own, endpoints).prop_map(
        |((cluster, service, age, headless, ports), flags, maps, scope, own, endpoints)| {
            let text = |map: BTreeMap<&str, &str>| {
                map.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            };
            let (not_ready, affinity, local, distribution) = flags;
            Offered {
                cluster: CLUSTERS[cluster].parse().unwrap(),
                service: SERVICES[service].parse().unwrap(),
                age,
                headless,
                ports: ports.into_iter().map(|port| PORTS[port].to_owned()).collect(),
                not_ready,
                affinity,
                local,
                distribution,
                families: if local { [IpFamily::IPv4].into() } else { BTreeSet::new() },
                labels: text(maps.0),
                annotations: text(maps.1),
                scope: scope.map(|named| named.into_iter().map(|c| CLUSTERS[c].parse().unwrap()).collect()),
                not_sent: own.0,
                withdrawn: own.1,
                endpoints: endpoints
                    .into_iter()
                    .map(|(last, six, not_ready)| Served {
                        address: if six {
                            ([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]).into()
                        } else {
                            [if last == 3 { 127 } else { 10 }, 0, 0, last].into()
                        },
                        hostname: None,
                        zone: None,
                        not_ready,
                    })
                    .collect(),
            }
        },
    )
}

fn federation() -> impl Strategy<Value = Federation> {
    let exports = vec(offered(), 0..8);
    let families = prop::sample::select(vec![
        vec![IpFamily::IPv4],
        vec![IpFamily::IPv6],
        vec![IpFamily::IPv6, IpFamily::IPv4],
    ]);
    let gateways = btree_set(prop::sample::select(&["10.9.0.1", "10.9.0.2", "fd00:9::1"][..]), 0..3);
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    (exports, families, gateways, flags).prop_map(|(exports, families, gateways, flags)| {
        let services: BTreeSet<_> = exports.iter().map(|offered| offered.service.clone()).collect();
        Federation {
            exports: unique(exports),
            families,
            gateways: Some(gateways.into_iter().map(|text| text.parse().unwrap()).collect()),
            unknown: flags.0,
            not_a_member: flags.1,
            without_vip: services.into_iter().filter(|_| flags.2).take(1).collect(),
            expired: if flags.2 { ["west".parse().unwrap()].into() } else { BTreeSet::new() },
            ..Federation::default()
        }
    })
}

/// One export of each service by each cluster, and each port name and number once.
fn unique(exports: Vec<Offered>) -> Vec<Offered> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for mut offered in exports {
        let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        offered.ports.retain(|port| {
            let (name, number) = port.split_once(':').unwrap();
            names.insert(name.to_owned()) && numbers.insert(number.to_owned())
        });
        if offered.ports.len() > 1 {
            offered.ports.retain(|port| !port.starts_with(':'));
        }
        if seen.insert((offered.cluster.clone(), offered.service.clone())) {
            kept.push(offered);
        }
    }
    kept
}

/// Something that somebody else does to an object.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Remove,
    StartRemoving,
    TakeOver,
    Relabel,
    DropAnnotations,
    DropOwner,
    DropStatus,
    Field(&'static str),
    AddPort,
}

/// Fields that somebody sets to what we never would, as JSON pointers.
const FIELDS: [(&str, &str); 9] = [
    ("/spec/type", "\"Headless\""),
    ("/spec/trafficDistribution", "\"Theirs\""),
    ("/spec/ports", "[]"),
    ("/spec/selector", "{\"app\":\"x\"}"),
    ("/spec/value", "\"theirs\""),
    ("/endpoints", "[]"),
    ("/spec/sessionAffinity", "\"ClientIP\""),
    ("/status/clusters", "[{\"cluster\":\"theirs\"}]"),
    (
        "/status/conditions",
        "[{\"type\":\"Ready\",\"status\":\"Unknown\"},{\"type\":\"X\",\"status\":\"True\"},7]",
    ),
];

fn edit() -> impl Strategy<Value = (usize, Edit)> {
    let kinds = prop_oneof![
        Just(Edit::Remove),
        Just(Edit::StartRemoving),
        Just(Edit::TakeOver),
        Just(Edit::Relabel),
        Just(Edit::DropAnnotations),
        Just(Edit::DropOwner),
        Just(Edit::DropStatus),
        prop::sample::select(FIELDS.map(|(field, _)| field).to_vec()).prop_map(Edit::Field),
        Just(Edit::AddPort),
    ];
    (any::<prop::sample::Index>(), kinds).prop_map(|(index, edit)| (index.index(1 << 16), edit))
}

fn carry_out(api: &mut Api, index: usize, edit: Edit) {
    let keys: Vec<String> = api.objects.keys().filter(|key| !key.starts_with("Namespace")).cloned().collect();
    let Some(key) = keys.get(index % keys.len().max(1)) else { return };
    if let Edit::Remove = edit {
        return api.remove(key);
    }
    api.edit(key, |value| {
        let meta = &mut value["metadata"];
        match edit {
            Edit::Remove => {}
            Edit::StartRemoving => meta["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
            Edit::TakeOver => meta["labels"] = json!({MANAGED_BY: "another", "theirs": "yes"}),
            Edit::Relabel => {
                meta["labels"]["team"] = json!("theirs");
                meta["labels"]["theirs"] = json!("yes");
            }
            Edit::DropAnnotations => meta["annotations"] = Value::Null,
            Edit::DropOwner => meta["ownerReferences"] = Value::Null,
            Edit::DropStatus => value["status"] = Value::Null,
            Edit::AddPort => {
                if let Some(ports) = value["spec"]["ports"].as_array_mut() {
                    ports.push(json!({"name": "theirs", "port": 9999, "protocol": "TCP"}));
                }
            }
            Edit::Field(field) => {
                let (_, to) = FIELDS.iter().find(|(name, _)| *name == field).unwrap();
                let (parent, leaf) = field.rsplit_once('/').unwrap();
                let applies = match field {
                    "/endpoints" => value["kind"] == "EndpointSlice",
                    "/spec/selector" => value["kind"] == "Service",
                    "/spec/value" => value["kind"] == "ClusterProperty",
                    _ => value["kind"] == "ServiceImport" || value["kind"] == "ServiceExport",
                };
                if let Some(map) = value.pointer_mut(parent).and_then(Value::as_object_mut)
                    && applies
                {
                    map.insert(leaf.to_owned(), serde_json::from_str(to).unwrap());
                }
            }
        }
    });
}

/// Namespaces, and the ServiceExports of what this cluster offers.
fn server(federation: &Federation) -> Api {
    let mut api = Api::new();
    for name in ["demo", "other"] {
        api.put(json!({"kind": "Namespace", "metadata": {"name": name}}));
    }
    let own = federation.exports.iter().filter(|offered| offered.cluster.as_str() == world::HERE);
    for offered in own.filter(|offered| !offered.withdrawn) {
        let service = &offered.service;
        let metadata = json!({"name": service.name.as_str(), "namespace": service.namespace.as_str()});
        api.put(json!({"kind": "ServiceExport", "metadata": metadata}));
    }
    api
}

fn is_ours(value: &Value) -> bool {
    let labels = &value["metadata"]["labels"];
    match value["kind"].as_str() {
        Some("EndpointSlice") => labels[SLICE_MANAGED_BY] == SLICE_OURS,
        _ => labels[MANAGED_BY] == OURS,
    }
}

/// What is neither ours nor a ServiceExport, whose status is ours to write, and what is on its way out.
fn not_to_be_touched(api: &Api) -> BTreeMap<String, Value> {
    let kept = api.objects.iter().filter(|(_, stored)| {
        let deleting = !stored.value["metadata"]["deletionTimestamp"].is_null();
        deleting || (stored.value["kind"] != "ServiceExport" && !is_ours(&stored.value))
    });
    kept.map(|(key, stored)| (key.clone(), stored.value.clone())).collect()
}

proptest! {
    #[test]
    fn every_start_comes_to_rest_and_nothing_of_others_is_touched(
        before in federation(),
        edits in vec(edit(), 0..6),
        after in federation(),
        collects_garbage in any::<bool>(),
    ) {
        let mut api = server(&before);
        api.collects_garbage = collects_garbage;
        api.settle(&world::input(&before));
        for (index, edit) in edits {
            carry_out(&mut api, index, edit);
        }
        let theirs = not_to_be_touched(&api);
        let input = world::input(&after);
        api.settle(&input);
        if !collects_garbage {
            prop_assert_eq!(&not_to_be_touched(&api), &theirs);
        }

        let observed = api.observe();
        let desired = desired(&input, &observed);
        let theirs: Vec<String> = foreign(&desired, &observed).iter().map(|f| f.object.to_string()).collect();
        for id in desired.imports.keys() {
            let key = format!("ServiceImport {id}");
            prop_assert!(api.get(&key).is_some(), "{} is missing", key);
            prop_assert_eq!(!is_ours(api.get(&key).unwrap()), theirs.contains(&key));
        }
        if desired.confirmed {
            for (id, held) in observed.imports.iter().filter(|(_, held)| held.ours && !held.deleting) {
                prop_assert!(desired.imports.contains_key(id), "{} should have gone: {:?}", id, held);
            }
        }
    }

    #[test]
    fn nothing_is_created_or_deleted_on_a_view_that_is_not_whole(
        before in federation(),
        after in federation(),
        complete in any::<bool>(),
    ) {
        let mut api = server(&before);
        api.settle(&world::input(&before));
        let held: BTreeSet<String> = api.objects.keys().cloned().collect();
        let mut after = after;
        after.unknown |= complete;
        api.complete = complete;
        api.settle(&world::input(&after));
        let now: BTreeSet<String> = api.objects.keys().cloned().collect();
        prop_assert_eq!(now, held);
    }

    #[test]
    fn the_order_of_what_is_told_does_not_matter(federation in federation()) {
        let mut reversed = federation.clone();
        reversed.exports.reverse();
        for offered in &mut reversed.exports {
            offered.endpoints.reverse();
        }
        let observed = server(&federation).observe();
        let one = desired(&world::input(&federation), &observed);
        let other = desired(&world::input(&reversed), &observed);
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(diff(&one, &observed), diff(&other, &observed));
    }
}
