//! Golden files: a federation and an API server as YAML in, every write until all is settled out. Accept intended
//! changes with `INSTA_UPDATE=always cargo test -p agent-plan mcs` and read the difference.

use std::fmt::Write;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::world;
use crate::mcs::{Action, Object, desired, diff, events, foreign, render};

/// Every write, round by round, as the API server gets it.
fn story(yaml: &str) -> String {
    let (input, mut api) = world::world(yaml);
    let now: Time = Time("2026-01-02T03:04:05Z".parse().unwrap());
    let mut text = String::new();
    for round in 1.. {
        assert!(round < 8, "never settled:\n{text}");
        let observed = api.observe();
        let desired = desired(&input, &observed);
        let actions = diff(&desired, &observed);
        if round == 1 {
            for foreign in foreign(&desired, &observed) {
                let _ = writeln!(text, "left alone: {}", foreign.object);
            }
        }
        if actions.is_empty() {
            break;
        }
        let _ = writeln!(text, "---------- round {round}");
        for action in &actions {
            match render::render(action, &observed, &now) {
                None => {
                    let _ = writeln!(text, "delete {}", action.object());
                }
                Some(patch) => {
                    let what = if patch.status { "apply the status of" } else { "apply" };
                    let _ = writeln!(text, "{what} {}", patch.object);
                    let body = serde_saphyr::to_string(&patch.body).unwrap();
                    for line in body.lines() {
                        let _ = writeln!(text, "    {line}");
                    }
                }
            }
            if let Action::ApplyExportStatus { id, conditions } = action {
                let held = observed.exports[id].content.iter().flatten();
                for event in events(held.map(|recorded| &recorded.condition), conditions) {
                    let kind = event.kind.as_str();
                    let about = Object::Export(id.clone());
                    let _ = writeln!(text, "event {kind} on {about}: {}: {}", event.reason, event.message);
                }
            }
        }
        api.carry_out(&actions, &observed, "2026-01-02T03:04:05Z");
    }
    text
}

#[test]
fn a_service_of_two_clusters_and_a_third_that_is_gone() {
    insta::assert_snapshot!(story(include_str!("input/three_clusters.yaml")));
}

#[test]
fn a_headless_service_in_two_families() {
    insta::assert_snapshot!(story(include_str!("input/headless.yaml")));
}

#[test]
fn everything_in_conflict() {
    insta::assert_snapshot!(story(include_str!("input/conflicts.yaml")));
}

#[test]
fn what_is_not_valid_and_what_is_not_ours() {
    insta::assert_snapshot!(story(include_str!("input/not_ours.yaml")));
}
