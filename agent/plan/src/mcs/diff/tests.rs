use serde_json::json;

use super::*;
use crate::mcs::tests::api::Api;
use crate::mcs::tests::world::world;
use crate::mcs::{Input, desired};

const ECHO: &str = "
kind: Federation
exports:
- {cluster: east, service: demo/echo, age: 1, ports: ['http:80/TCP'], labels: {team: a}}
- {cluster: west, service: demo/echo, age: 2, ports: ['http:80/TCP'], labels: {team: a}}
---
kind: Namespace
metadata: {name: demo}
---
kind: ServiceExport
metadata: {name: echo, namespace: demo}
";
const IMPORT: &str = "ServiceImport demo/echo";
const DERIVED: &str = "Service demo/isthmus-2soqq2mch7";
const DERIVED_SLICE: &str = "EndpointSlice demo/isthmus-2soqq2mch7-v4";

fn settled() -> (Input, Api) {
    let (input, mut api) = world(ECHO);
    api.settle(&input);
    (input, api)
}

/// What is to be done next, by the names of the objects.
fn next(input: &Input, api: &Api) -> Vec<String> {
    let observed = api.observe();
    let actions = diff(&desired(input, &observed), &observed);
    let say = |action: &Action| match action {
        Action::Delete { object, .. } => format!("delete {object}"),
        Action::ApplyImportStatus { id, .. } => format!("status ServiceImport {id}"),
        Action::ApplyExportStatus { id, .. } => format!("status ServiceExport {id}"),
        Action::ApplyDerivedStatus { name, .. } => format!("status Service {}/{}", name.namespace, name.name),
        other => other.object().to_string(),
    };
    actions.iter().map(say).collect()
}

#[test]
fn a_settled_server_is_not_written_to() {
    let (input, api) = settled();
    assert_eq!(next(&input, &api), [] as [&str; 0]);
}

#[test]
fn what_somebody_changes_by_hand_is_put_right() {
    type Edit = fn(&mut serde_json::Value);
    let cases: [(&str, Edit, &[&str]); 14] = [
        (
            IMPORT,
            |import| import["spec"]["ips"] = json!(["240.240.0.9"]),
            &[IMPORT, "status ServiceImport demo/echo"],
        ),
        (
            IMPORT,
            |import| import["spec"]["type"] = json!("Headless"),
            &[IMPORT, "status ServiceImport demo/echo"],
        ),
        (IMPORT, |import| import["spec"]["fromTheFuture"] = json!(1), &["status ServiceImport demo/echo"]),
        (IMPORT, |import| import["metadata"]["labels"]["team"] = json!("b"), &[IMPORT]),
        (IMPORT, |import| import["metadata"]["annotations"] = json!({}), &[]),
        (IMPORT, |import| import["status"]["clusters"] = json!([]), &["status ServiceImport demo/echo"]),
        (IMPORT, |import| import["status"] = json!(null), &["status ServiceImport demo/echo"]),
        // Labels, conditions and exporters of others are theirs.
        (IMPORT, |import| import["metadata"]["labels"]["theirs"] = json!("x"), &[]),
        (
            IMPORT,
            |import| import["status"]["clusters"].as_array_mut().unwrap().push(json!({"cluster": "theirs"})),
            &[],
        ),
        (DERIVED, |service| service["spec"]["loadBalancerClass"] = json!("other"), &[DERIVED]),
        (
            DERIVED,
            |service| service["status"]["loadBalancer"] = json!({}),
            &["status Service demo/isthmus-2soqq2mch7"],
        ),
        (DERIVED_SLICE, |slice| slice["endpoints"] = json!([]), &[DERIVED_SLICE]),
        (DERIVED_SLICE, |slice| slice["metadata"]["ownerReferences"] = json!([]), &[DERIVED_SLICE]),
        (
            "ServiceExport demo/echo",
            |export| export["status"] = json!({}),
            &["status ServiceExport demo/echo"],
        ),
    ];
    for (number, (key, edit, expected)) in cases.into_iter().enumerate() {
        let (input, mut api) = settled();
        api.edit(key, edit);
        // Without any gateway known, an empty slice would be taken for the truth.
        assert_eq!(next(&input, &api), expected, "case {number}");
        api.settle(&input);
    }
}

#[test]
fn what_apply_cannot_take_away_is_made_anew() {
    for (field, value) in [
        ("selector", json!({"app": "x"})),
        (
            "ports",
            json!([{"name": "p80", "port": 80, "protocol": "TCP"}, {"name": "x", "port": 9, "protocol": "TCP"}]),
        ),
        ("ports", json!([{"name": "p80", "port": 81, "protocol": "TCP"}])),
    ] {
        let (input, mut api) = settled();
        let uid = api.get(DERIVED).unwrap()["metadata"]["uid"].clone();
        api.edit(DERIVED, |service| service["spec"][field] = value);
        assert_eq!(next(&input, &api), [format!("delete {DERIVED}")]);
        api.settle(&input);
        assert_ne!(api.get(DERIVED).unwrap()["metadata"]["uid"], uid);
    }
    // An own port that is no longer wanted goes by itself.
    let (_, mut api) = settled();
    let (input, _) = world(&ECHO.replace("http:80/TCP", "web:8080/TCP"));
    assert!(!next(&input, &api).contains(&format!("delete {DERIVED}")));
    api.settle(&input);
    assert_eq!(api.get(DERIVED).unwrap()["spec"]["ports"].as_array().unwrap().len(), 1);
}

#[test]
fn a_traffic_distribution_of_others_is_taken_away() {
    let (input, mut api) = settled();
    api.edit(IMPORT, |import| import["spec"]["trafficDistribution"] = json!("Theirs"));
    api.settle(&input);
    assert_eq!(api.get(IMPORT).unwrap()["spec"]["trafficDistribution"], "");
}

#[test]
fn a_label_that_is_no_longer_exported_goes_and_those_of_others_stay() {
    let (_, mut api) = settled();
    api.edit(IMPORT, |import| import["metadata"]["labels"]["theirs"] = json!("x"));
    let (input, _) = world(&ECHO.replace("labels: {team: a}", "labels: {}"));
    assert_eq!(next(&input, &api), [IMPORT]);
    api.settle(&input);
    let labels = &api.get(IMPORT).unwrap()["metadata"]["labels"];
    assert_eq!((labels["team"].is_null(), labels["theirs"].as_str()), (true, Some("x")));
}

#[test]
fn the_import_of_another_controller_is_left_alone_and_nothing_of_ours_hangs_on_it() {
    let (input, mut api) = settled();
    api.edit(IMPORT, |import| {
        import["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "another"})
    });
    let observed = api.observe();
    let wanted = desired(&input, &observed);
    let id = "demo/echo".parse().unwrap();
    assert_eq!(foreign(&wanted, &observed), [Foreign { object: Object::Import(id) }]);
    let next = next(&input, &api);
    assert!(next.len() == 4 && next.iter().all(|action| action.starts_with("delete ")), "{next:?}");
    assert!(!next.iter().any(|action| action.contains("ServiceImport")), "{next:?}");
}

#[test]
fn imports_come_first_and_deletions_last() {
    let (_, api) = settled();
    let more = ECHO.replace(
        "---\nkind: Namespace",
        "- {cluster: west, service: demo/new, ports: ['x:1/TCP']}\n---\nkind: Namespace",
    );
    let (mut input, _) =
        world(&more.replace("cluster: west, service: demo/echo, age: 2", "cluster: west, service: demo/old"));
    input.gateways.insert("10.9.0.2".parse().unwrap());
    let rank = |action: &String| match action.as_str() {
        text if text.starts_with("delete") => 3,
        text if text.contains("ServiceImport") => 0,
        text if text.contains("ServiceExport") => 2,
        _ => 1,
    };
    let order: Vec<_> = next(&input, &api).iter().map(rank).collect();
    assert!(order.is_sorted() && order.contains(&0) && order.contains(&1) && order.contains(&3), "{order:?}");
}

#[test]
fn a_service_goes_with_its_last_export_and_its_slices_with_their_exporter() {
    let (_, mut api) = settled();
    let west = "- {cluster: west, service: demo/echo, age: 2, ports: ['http:80/TCP'], labels: {team: a}}\n";
    let (input, _) = world(&ECHO.replace(west, ""));
    let first = next(&input, &api);
    assert!(first.contains(&"delete EndpointSlice demo/echo-west-baw32vjkwu-v4".to_owned()), "{first:?}");
    api.settle(&input);
    api.remove("ServiceExport demo/echo");
    let (input, _) = world("kind: Federation\nexports: []");
    assert_eq!(next(&input, &api)[0], format!("delete {IMPORT}"));
    api.settle(&input);
    let left: Vec<&String> = api.objects.keys().collect();
    assert_eq!(
        left,
        ["ClusterProperty cluster.clusterset.k8s.io", "ClusterProperty clusterset.k8s.io", "Namespace demo"]
    );
}

#[test]
fn silence_is_not_an_answer() {
    let (_, api) = settled();
    let nothing = "kind: Federation\nexports: []";
    let (input, _) = world(nothing);
    assert!(!next(&input, &api).is_empty());
    // The catalogue was never seen; the server not read in full; the definitions are gone; the namespace is going.
    let (unknown, _) = world("kind: Federation\nunknown: true");
    assert_eq!(next(&unknown, &api), [] as [&str; 0]);
    let with = |change: fn(&mut Api)| {
        let mut api = api.clone();
        change(&mut api);
        next(&input, &api)
    };
    assert_eq!(with(|api| api.complete = false), [] as [&str; 0]);
    assert_eq!(with(|api| api.capabilities.imports = None), [] as [&str; 0]);
    let going = |api: &mut Api| {
        api.edit("Namespace demo", |namespace| {
            namespace["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        });
    };
    assert_eq!(with(going), [] as [&str; 0]);
}

#[test]
fn what_is_on_its_way_out_is_made_again_when_it_has_gone() {
    let (input, mut api) = settled();
    api.edit(IMPORT, |import| import["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"));
    api.edit(DERIVED, |service| service["spec"]["type"] = json!("ClusterIP"));
    assert_eq!(next(&input, &api), [] as [&str; 0], "nor is what it owns");
    api.remove(IMPORT);
    api.settle(&input);
    assert!(api.get(DERIVED).is_some());
}

/// An agent that was killed may remember less than it had written, or something older.
#[test]
fn what_is_only_remembered_takes_nothing_away_and_the_gateways_are_still_followed() {
    let (_, api) = settled();
    for remembered in [
        "remembered: true, not_a_member: true".to_owned(),
        "remembered: true, exports: [{cluster: east, service: demo/echo, ports: [':81/TCP'], not_ready: true}]".to_owned(),
    ] {
        let (input, _) = world(&format!("{{kind: Federation, {remembered}}}"));
        assert_eq!(next(&input, &api), [] as [&str; 0], "{remembered}");
    }
    let (before, _) = world(&ECHO.replace("kind: Federation", "kind: Federation\nremembered: true"));
    assert_eq!(next(&before, &api), [] as [&str; 0]);
    let moved = Input { gateways: ["10.9.0.7".parse().unwrap()].into(), ..before };
    assert_eq!(next(&moved, &api), [DERIVED_SLICE]);
    // And what is missing is made.
    let (input, mut empty) = world(&ECHO.replace("kind: Federation", "kind: Federation\nremembered: true"));
    assert!(empty.settle(&input) > 0);
    assert!(next(&input, &empty).is_empty());
}
