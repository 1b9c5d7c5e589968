//! Golden files: YAML in, the derived offers and the plan out, as text. Accept intended changes with
//! `INSTA_UPDATE=always cargo test -p agent-plan golden` and read the difference.

use super::render;
use super::world::{self, World};

/// A service `demo/NAME` with one ready and one unready endpoint, exported.
fn echo(name: &str, address: &str, annotations: &str) -> String {
    format!(
        "
kind: Namespace
metadata: {{name: demo}}
---
kind: Service
metadata: {{name: {name}, namespace: demo}}
spec:
  ports: [{{name: http, port: 80}}]
---
kind: EndpointSlice
addressType: IPv4
metadata: {{name: {name}-1, namespace: demo, labels: {{kubernetes.io/service-name: {name}}}}}
ports: [{{name: http, port: 8080}}]
endpoints:
- {{addresses: [{address}], zone: a}}
- {{addresses: [10.9.9.9], zone: b, conditions: {{ready: false}}}}
---
kind: ServiceExport
metadata: {{name: {name}, namespace: demo, annotations: {{{annotations}}}}}
"
    )
}

const ALL_KINDS: &str = include_str!("input/all_kinds.yaml");

#[test]
fn every_kind_of_export_and_of_refusal() {
    let view = crate::derive(&world::objects(ALL_KINDS), &world::facts("east"));
    insta::assert_snapshot!(render::local(&view));
}

#[test]
fn the_plan_of_a_cluster_that_exports_every_kind() {
    let world = World::new(&[("east", ALL_KINDS), ("west", "")]);
    insta::assert_snapshot!("plan_of_the_exporter", render::desired(&world.plan("east")));
    insta::assert_snapshot!("plan_of_an_importer", render::desired(&world.plan("west")));
}

#[test]
fn a_service_in_two_clusters_prefers_the_local_one() {
    let (east, west) = (echo("echo", "10.1.0.1", ""), echo("echo", "10.2.0.1", ""));
    let mut world = World::new(&[("east", &east), ("south", ""), ("west", &west)]);
    insta::assert_snapshot!("two_clusters_seen_from_east", render::desired(&world.plan("east")));
    insta::assert_snapshot!("two_clusters_seen_from_south", render::desired(&world.plan("south")));
    // Its endpoint is lost: known here at once, whatever the federation still says.
    world.edit("east", &east.replace("zone: a", "zone: a, conditions: {ready: false}"));
    insta::assert_snapshot!("two_clusters_local_not_ready", render::desired(&world.plan("east")));
}

#[test]
fn a_scope_hides_the_service_from_the_others() {
    let east = echo("echo", "10.1.0.1", "isthmus.dev/scope: 'south'");
    let world = World::new(&[("east", &east), ("south", ""), ("west", "")]);
    assert_eq!(world.plan("south").gateway.egress.len(), 1);
    let west = world.plan("west");
    assert!(west.gateway.egress.is_empty() && west.dns.services.is_empty());
}

#[test]
fn an_own_export_is_served_once_accepted_and_no_longer_than_it_is_offered() {
    let east = echo("echo", "10.1.0.1", "");
    let mut world = World::new(&[("east", "")]);
    world.edit("east", &east);
    let before = world.plan("east");
    assert!(before.gateway.ingress.is_empty() && before.dns.services.is_empty(), "not accepted yet");

    let mut world = World::new(&[("east", &east)]);
    assert_eq!(world.plan("east").gateway.ingress.len(), 1);
    world.edit("east", "");
    let after = world.plan("east");
    assert!(after.gateway.ingress.is_empty() && after.dns.services.is_empty(), "no longer offered");
}

#[test]
fn an_export_for_its_own_cluster_alone_is_not_at_the_gateway() {
    let world = World::new(&[("east", &echo("echo", "10.1.0.1", "isthmus.dev/scope: east"))]);
    let plan = world.plan("east");
    assert!(plan.gateway.ingress.is_empty());
    assert_eq!(plan.gateway.egress.len(), 1, "it is served at the VIP here all the same");
}
