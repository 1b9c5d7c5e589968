use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::*;
use crate::mcs::content::{Condition, ConditionKind, ConditionStatus};
use crate::mcs::tests::world::world;
use crate::mcs::{Observed, desired, diff};

const WORLD: &str = "
kind: Federation
exports: [{cluster: east, service: demo/echo, ports: ['http:80/TCP']}]
---
kind: Namespace
metadata: {name: demo}
---
kind: ServiceExport
metadata: {name: echo, namespace: demo, generation: 5}
status:
  conditions:
  - {type: Valid, status: 'True', reason: Old, message: m, lastTransitionTime: '2025-01-01T00:00:00Z'}
  - {type: Ready, status: 'False', reason: Pending, message: m, lastTransitionTime: '2025-01-01T00:00:00Z'}
  - {type: Conflict, status: 'False', reason: NoConflicts, message: m, lastTransitionTime: 'never'}
";

fn now() -> Time {
    Time("2026-01-02T03:04:05Z".parse().unwrap())
}

#[test]
fn the_time_of_a_condition_moves_with_its_status_alone() {
    let (_, api) = world(WORLD);
    let condition = |kind, status| Condition { kind, status, reason: "New".into(), message: "new".into() };
    let conditions = vec![
        condition(ConditionKind::Valid, ConditionStatus::True),
        condition(ConditionKind::Ready, ConditionStatus::True),
        condition(ConditionKind::Conflict, ConditionStatus::False),
    ];
    let action = Action::ApplyExportStatus { id: "demo/echo".parse().unwrap(), conditions };
    let patch = render(&action, &api.observe(), &now()).unwrap();
    assert!(patch.status);
    let times: Vec<_> = patch.body["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|condition| {
            assert_eq!(
                (condition["observedGeneration"].as_i64(), condition["reason"].as_str()),
                (Some(5), Some("New"))
            );
            condition["lastTransitionTime"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(times, ["2025-01-01T00:00:00Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"]);
}

#[test]
fn bodies_are_of_the_version_that_is_served_and_there_are_none_for_what_is_not() {
    let (input, mut api) = world(WORLD);
    api.capabilities.imports = Some(McsVersion::V1Alpha1);
    let observed = api.observe();
    let actions = diff(&desired(&input, &observed), &observed);
    let patch = render(&actions[0], &observed, &now()).unwrap();
    assert_eq!(patch.body["apiVersion"], "multicluster.x-k8s.io/v1alpha1");
    assert_eq!(render(&actions[0], &Observed::default(), &now()), None);
    let deletion = Action::Delete { object: Object::Property("p".to_owned()), uid: "u".to_owned() };
    assert_eq!(render(&deletion, &observed, &now()), None);
}

#[test]
fn a_status_says_nothing_but_status() {
    let (input, mut api) = world(WORLD);
    for _ in 0..3 {
        let observed = api.observe();
        let actions = diff(&desired(&input, &observed), &observed);
        for patch in actions.iter().filter_map(|action| render(action, &observed, &now())) {
            let keys: Vec<&String> = patch.body.as_object().unwrap().keys().collect();
            let meta: Vec<&String> = patch.body["metadata"].as_object().unwrap().keys().collect();
            if patch.status {
                assert_eq!(keys, ["apiVersion", "kind", "metadata", "status"]);
                assert_eq!(meta, ["name", "namespace"]);
            } else {
                assert!(patch.body.get("status").is_none());
                assert!(patch.body["metadata"]["annotations"][CONTENT].as_str().unwrap().len() == 16);
            }
        }
        api.carry_out(&actions, &observed, "2026-01-02T03:04:05Z");
    }
}

#[test]
fn the_hash_is_of_what_is_said_and_not_of_how_it_is_sent() {
    let (input, mut api) = world(WORLD);
    let hash = |api: &crate::mcs::tests::api::Api| {
        let meta = &api.get("ServiceImport demo/echo").unwrap()["metadata"];
        meta["annotations"][CONTENT].as_str().unwrap().to_owned()
    };
    api.settle(&input);
    let before = hash(&api);
    let import = desired(&input, &api.observe()).imports.into_values().next().unwrap();
    assert_eq!(before, import_hash(&import.content));
    api.capabilities.imports = Some(McsVersion::V1Alpha1);
    assert_eq!(api.settle(&input), 0, "another version is no reason to write");
    api.edit("ServiceImport demo/echo", |import| import["spec"]["ips"] = json!([]));
    api.settle(&input);
    assert_eq!(hash(&api), before);
}
