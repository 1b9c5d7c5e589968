use federation_model::{IpFamily, ServiceId};

use super::*;
use crate::mcs::content::{ConditionKind, ConditionStatus, SliceRole};
use crate::mcs::observed::ImportField;
use crate::mcs::tests::world::{input, world};

const DEMO: &str = "\n---\nkind: Namespace\nmetadata: {name: demo}";
const DEMO_AND_EXPORT: &str = "\n---\nkind: Namespace\nmetadata: {name: demo}\n---
kind: ServiceExport\nmetadata: {name: echo, namespace: demo}";

fn of(yaml: &str) -> Desired {
    let (input, api) = world(&format!("kind: Federation\n{yaml}"));
    desired(&input, &api.observe())
}

fn echo() -> ServiceId {
    "demo/echo".parse().unwrap()
}

/// `Ready=True Exported; ...`
fn said(conditions: &[Condition]) -> String {
    let one = |c: &Condition| format!("{}={} {}", c.kind.as_str(), c.status.as_str(), c.reason);
    conditions.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn how_far_an_export_is() {
    const OWN: &str = "exports: [{cluster: east, service: demo/echo, ports: [':80/TCP']";
    let was = "\nstatus: {conditions: [{type: Ready, status: 'True', reason: Exported, message: m}, \
               {type: Conflict, status: 'False', reason: NoConflicts, message: m}]}";
    let cases = [
        // Not sent yet, sent, on disk, seen in the catalogue (also after a restart), changed since.
        ("", ", not_sent: true}]", "", "Valid=True Valid; Ready=False Pending"),
        ("offers: {demo/echo: pending}\n", ", not_sent: true}]", "", "Valid=True Valid; Ready=False Pending"),
        (
            "offers: {demo/echo: committed}\n",
            ", not_sent: true}]",
            "",
            "Valid=True Valid; Ready=True Exported",
        ),
        ("", "}]", "", "Valid=True Valid; Ready=True Exported; Conflict=False NoConflicts"),
        (
            "offers: {demo/echo: pending}\n",
            "}]",
            "",
            "Valid=True Valid; Ready=True Exported; Conflict=False NoConflicts",
        ),
        ("offers: {demo/echo: 'no'}\n", ", not_sent: true}]", "", "Valid=True Valid; Ready=False Failed"),
        // Its latest change was refused, while the federation keeps what it had.
        (
            "offers: {demo/echo: 'no'}\n",
            "}]",
            "",
            "Valid=True Valid; Ready=False Failed; Conflict=False NoConflicts",
        ),
        // Without the catalogue, what was said before stays.
        ("unknown: true\n", "}]", "", "Valid=True Valid; Ready=False Pending"),
        ("unknown: true\n", "}]", was, "Valid=True Valid; Ready=True Exported; Conflict=False NoConflicts"),
        // Two may share a name in two clusters and disagree.
        (
            "",
            "}, {cluster: west, age: 9, service: demo/echo, headless: true}]",
            "",
            "Valid=True Valid; Ready=True Exported; Conflict=True PortConflict,TypeConflict",
        ),
        // Somebody whom this cluster cannot see is in conflict with nobody here.
        (
            "",
            "}, {cluster: west, age: 9, service: demo/echo, headless: true, scope: [south]}]",
            "",
            "Valid=True Valid; Ready=True Exported; Conflict=False NoConflicts",
        ),
    ];
    for (before, after, status, expected) in cases {
        let yaml = format!("{before}{OWN}{after}{DEMO_AND_EXPORT}{status}");
        assert_eq!(said(&of(&yaml).export_conditions[&echo()]), expected, "{yaml}");
    }
}

#[test]
fn exports_that_nobody_judged_or_that_go_are_not_spoken_of() {
    let deleting = format!("invalid: {{demo/echo: NoService}}{DEMO_AND_EXPORT}")
        .replace("name: echo,", "name: echo, deletionTimestamp: '2026-01-01T00:00:00Z',");
    for yaml in [format!("exports: []{DEMO_AND_EXPORT}"), deleting] {
        assert_eq!(of(&yaml).export_conditions, [].into(), "{yaml}");
    }
}

/// Types of import by their ports and families: families, number of VIPs, readiness, derived Services, slices.
#[test]
fn what_an_import_needs() {
    let cases = [
        ("", "ports: [':80/TCP']", "IPv4 | 1 | Ready | 1 | 2"),
        ("families: [IPv4, IPv6]\n", "ports: [':80/TCP']", "IPv4 IPv6 | 2 | Ready | 1 | 2"),
        (
            "families: [IPv6, IPv4]\ngateways: [10.9.0.1, 'fd00::9', 'fe80::1']\n",
            "ports: [':80/TCP']",
            "IPv6 IPv4 | 2 | Ready | 1 | 4",
        ),
        // Nothing carries UDP: it is named, and that is all.
        ("", "ports: [':53/UDP']", "IPv4 | 1 | Ready | 0 | 0"),
        ("gateways: []\n", "ports: [':80/TCP']", "IPv4 | 1 | Ready | 1 | 0"),
        ("without_vip: [demo/echo]\n", "ports: [':80/TCP']", " | 0 | Pending | 0 | 0"),
        ("expired: [west]\n", "ports: [':80/TCP']", "IPv4 | 1 | Ready | 1 | 1"),
        ("", "headless: true, families: [IPv6]", " | 0 | IPFamilyNotSupported | 0 | 0"),
        (
            "families: [IPv6, IPv4]\n",
            "headless: true, families: [IPv4, IPv6]",
            "IPv6 IPv4 | 0 | Ready | 0 | 0",
        ),
        // Where a headless exporter does not say, its endpoints do.
        (
            "families: [IPv6, IPv4]\n",
            "headless: true, endpoints: [{address: 10.0.0.1}]",
            "IPv4 | 0 | Ready | 0 | 1",
        ),
        ("", "headless: true", "IPv4 | 0 | Ready | 0 | 0"),
        ("", "headless: true, endpoints: [{address: 10.0.0.1}], ports: []", "IPv4 | 0 | Ready | 0 | 1"),
        (
            "",
            "headless: true, endpoints: [{address: 127.0.0.1}, {address: 169.254.0.1}]",
            "IPv4 | 0 | Ready | 0 | 0",
        ),
    ];
    for (before, shape, expected) in cases {
        let yaml = format!("{before}exports: [{{cluster: west, service: demo/echo, {shape}}}]{DEMO}");
        let desired = of(&yaml);
        let DesiredImport { content, status } = &desired.imports[&echo()];
        let families: Vec<_> = content.families.iter().map(|family| family.as_str()).collect();
        let (vips, ready) = (content.ips.len(), &status.ready.reason);
        let (derived, slices) = (desired.derived.len(), desired.slices.len());
        let found = format!("{} | {vips} | {ready} | {derived} | {slices}", families.join(" "));
        assert_eq!(found, expected, "{yaml}");
        assert_eq!(status.ready.status == ConditionStatus::True, status.ready.reason == "Ready");
    }
}

#[test]
fn imports_are_only_where_the_namespace_is_and_come_when_it_does() {
    let yaml = "exports: [{cluster: west, service: demo/echo, ports: [':80/TCP']}]";
    assert_eq!(of(yaml).imports, [].into());
    assert_eq!(of(&format!("{yaml}{DEMO}")).imports.len(), 1);
    let terminating = DEMO.replace("name: demo", "name: demo, deletionTimestamp: '2026-01-01T00:00:00Z'");
    assert_eq!(of(&format!("{yaml}{terminating}")).imports, [].into());
}

#[test]
fn what_this_cluster_takes_back_is_gone_at_once_but_not_before_it_is_known_to() {
    let own = "exports: [{cluster: east, service: demo/echo, ports: [':80/TCP'], withdrawn: true}]";
    assert_eq!(of(&format!("{own}{DEMO}")).imports.len(), 0);
    // The object is still seen, and nobody has judged it: what is offered is only a step behind.
    assert_eq!(of(&format!("{own}{DEMO_AND_EXPORT}")).imports.len(), 1);
    let invalid = format!("{own}\ninvalid: {{demo/echo: NoService}}{DEMO_AND_EXPORT}");
    assert_eq!(of(&invalid).imports.len(), 0);
}

#[test]
fn every_port_goes_only_to_those_who_have_it() {
    let yaml = "
exports:
- {cluster: west, service: demo/echo, age: 1, ports: [':80/TCP']}
- {cluster: south, service: demo/echo, age: 2, ports: ['http:80/TCP', 'admin:9000/TCP'], not_ready: true}";
    let desired = of(&format!("{yaml}{DEMO}"));
    let (_, derived) = desired.derived.first_key_value().unwrap();
    let names: Vec<_> = derived.ports.iter().map(|port| port.name.clone().unwrap().to_string()).collect();
    assert_eq!(names, ["p80", "p9000"], "a Service with several ports needs a name for each");
    let ports = |slice: &SliceContent| {
        let named = slice.ports.iter().map(|port| port.name.as_ref().map_or("", |name| name.as_str()));
        (named.map(str::to_owned).collect::<Vec<_>>(), slice.endpoints[0].ready)
    };
    for DesiredSlice { content, .. } in desired.slices.values() {
        let expected = match &content.role {
            SliceRole::Derived { .. } => (vec!["p80".to_owned(), "p9000".to_owned()], true),
            SliceRole::Mcs { source, .. } if source.as_str() == "west" => (vec![String::new()], true),
            SliceRole::Mcs { .. } => (vec!["admin".to_owned()], false),
        };
        assert_eq!(ports(content), expected);
    }
}

#[test]
fn the_gateways_of_before_stay_while_none_is_known() {
    let yaml = format!("exports: [{{cluster: west, service: demo/echo, ports: [':80/TCP']}}]{DEMO}");
    let (mut input, mut api) = world(&format!("kind: Federation\n{yaml}"));
    api.settle(&input);
    input.gateways.clear();
    assert_eq!(api.settle(&input), 0, "an agent that has just started takes nobody's traffic away");
    input.gateways.insert("10.9.0.2".parse().unwrap());
    assert_eq!(api.settle(&input), 1);
}

#[test]
fn many_endpoints_are_many_slices() {
    let endpoints: Vec<String> =
        (0..2_500).map(|n| format!("{{address: 10.1.{}.{}}}", n / 250, n % 250)).collect();
    let yaml = format!(
        "exports: [{{cluster: west, service: demo/echo, headless: true, ports: [], endpoints: [{}]}}]{DEMO}",
        endpoints.join(", ")
    );
    let desired = of(&yaml);
    let sizes: Vec<usize> = desired.slices.values().map(|slice| slice.content.endpoints.len()).collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
}

#[test]
fn labels_that_no_object_can_have_do_not_cost_the_import() {
    let yaml = "exports: [{cluster: west, service: demo/echo, ports: [':80/TCP'], labels: {team: a, 'no spaces': b, \
                app.kubernetes.io/managed-by: helm, bad: '-'}, annotations: {isthmus.dev/content: x, note: 'any thing'}}]";
    let desired = of(&format!("{yaml}{DEMO}"));
    let content = &desired.imports[&echo()].content;
    assert_eq!(content.labels.keys().collect::<Vec<_>>(), ["team"]);
    assert_eq!(content.annotations.keys().collect::<Vec<_>>(), ["note"]);
}

#[test]
fn older_definitions_are_given_what_they_know() {
    let yaml = "exports: [{cluster: west, service: demo/echo, ports: [':80/TCP'], local: true, distribution: PreferClose}]";
    let (input, mut api) = world(&format!("kind: Federation\n{yaml}{DEMO}"));
    api.capabilities.import_lacks = ImportField::ALL.into();
    api.capabilities.import_slices_field = false;
    api.settle(&input);
    let spec = &api.get("ServiceImport demo/echo").unwrap()["spec"];
    let fields: Vec<&String> = spec.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["ips", "ports", "sessionAffinity", "type"]);
    api.capabilities.import_lacks.clear();
    assert_eq!(api.settle(&input), 2, "the spec, and the status for its new generation");
}

#[test]
fn properties_are_there_as_long_as_the_cluster_is_a_member() {
    let properties = |yaml: &str| of(yaml).properties.into_values().collect::<Vec<_>>();
    assert_eq!(properties("exports: []"), ["east", "example"]);
    assert_eq!(properties("not_a_member: true"), [] as [String; 0]);
    assert_eq!(properties("unknown: true"), [] as [String; 0]);
}

#[test]
fn a_message_names_so_many_exporters_and_counts_the_rest() {
    let exports: Vec<String> = (0..12)
        .map(|n| format!("{{cluster: c{n:02}, age: {}, service: demo/echo, ports: [':80/TCP']}}", 12 - n))
        .collect();
    let desired = of(&format!("exports: [{}]{DEMO}", exports.join(", ")));
    let status = &desired.imports[&echo()].status;
    assert_eq!(status.clusters.len(), 12);
    assert_eq!(status.ready.message, "Exported by c00, c01, c02, c03, c04, c05, c06, c07 and 4 more.");
}

#[test]
fn headless_exporters_of_different_families_are_in_conflict_and_vips_are_not() {
    let yaml = |headless: bool| {
        format!(
            "families: [IPv4, IPv6]
exports:
- {{cluster: east, service: demo/echo, headless: {headless}, age: 1, families: [IPv4]}}
- {{cluster: west, service: demo/echo, headless: {headless}, age: 2, families: [IPv6]}}{DEMO_AND_EXPORT}"
        )
    };
    let conflict = |headless| {
        let conditions = of(&yaml(headless)).export_conditions.remove(&echo()).unwrap();
        conditions.into_iter().find(|c| c.kind == ConditionKind::Conflict).unwrap()
    };
    assert_eq!(conflict(false).reason, "NoConflicts");
    assert_eq!(
        conflict(true).message,
        "Conflicting IP families. Using all of them, so that a client of one family reaches only some endpoints. 1/2 \
         clusters disagree."
    );
    assert_eq!(of(&yaml(true)).imports[&echo()].content.families, [IpFamily::IPv4, IpFamily::IPv6]);
}

#[test]
fn equal_inputs_give_equal_values() {
    let federation = crate::mcs::tests::world::Federation::default();
    let observed = Observed::default();
    assert_eq!(desired(&input(&federation), &observed), desired(&input(&federation), &observed));
}
