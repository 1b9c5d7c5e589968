use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::mcs::content::{ConditionStatus, SliceRole};
use crate::mcs::crd::{ClusterProperty, ServiceExport};
use crate::mcs::names;
use crate::mcs::parse;

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// `base` with the field at a JSON pointer set, or taken away where it is null.
fn with(base: &Value, pointer: &str, to: Value) -> Value {
    let mut value = base.clone();
    let (parent, leaf) = pointer.rsplit_once('/').unwrap();
    let map = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if to.is_null() {
        map.remove(leaf)
    } else {
        map.insert(leaf.to_owned(), to)
    };
    value
}

fn an_import() -> Value {
    json!({
        "metadata": {
            "name": "echo", "namespace": "demo", "uid": "u", "resourceVersion": "9", "generation": 3,
            "labels": {"app.kubernetes.io/managed-by": "isthmus", "team": "a"},
            "annotations": {"isthmus.dev/content": "abc", "note": "b"},
        },
        "spec": {
            "type": "ClusterSetIP",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            "ips": ["240.240.0.1"], "ipFamilies": ["IPv4"],
            "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
            "internalTrafficPolicy": "Cluster",
        },
        "status": {
            "clusters": [{"cluster": "east"}],
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Ready", "message": "m", "observedGeneration": 3,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    })
}

#[test]
fn an_import_of_ours_is_read_without_its_bookkeeping() {
    let (id, held) = parse::import(&read(an_import())).unwrap();
    assert_eq!(id.to_string(), "demo/echo");
    assert!(held.ours && !held.deleting);
    assert_eq!((held.applied.as_deref(), held.generation), (Some("abc"), 3));
    let content = held.content.clone().unwrap();
    let spec = content.spec.unwrap();
    assert_eq!(spec.labels.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "a".to_owned())]);
    assert_eq!(spec.annotations.into_iter().collect::<Vec<_>>(), [("note".to_owned(), "b".to_owned())]);
    let status = content.status.unwrap();
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.since.is_some());
    assert_eq!(status.status.slices_present, None);
}

#[test]
fn what_we_never_write_in_an_import_is_no_content_and_no_error() {
    let spec = |value: Value| parse::import(&read(value)).unwrap().1.content.clone().unwrap().spec;
    let base = an_import();
    assert!(spec(base.clone()).is_some());
    // What the API server or a newer schema may add is not looked at.
    assert!(spec(with(&base, "/spec/fromTheFuture", json!({"a": 1}))).is_some());
    assert!(spec(with(&base, "/spec/internalTrafficPolicy", Value::Null)).is_some());
    let strange = [
        ("/spec", json!("of another schema")),
        ("/spec", Value::Null),
        ("/spec/type", json!("Other")),
        ("/spec/type", json!(7)),
        ("/spec/ports", json!({"http": 80})),
        ("/spec/ports", json!([{"port": 0, "protocol": "TCP"}])),
        ("/spec/ports", json!([{"port": 70_000, "protocol": "TCP"}])),
        ("/spec/ports", json!([{"port": 80, "protocol": "DCCP"}])),
        ("/spec/ports", json!([{"port": 80}])),
        ("/spec/ports", json!([{"port": 80, "protocol": "TCP", "name": "NOT A NAME"}])),
        ("/spec/ips", json!(["nowhere"])),
        ("/spec/ipFamilies", json!(["IPv5"])),
        ("/spec/sessionAffinity", json!("Sometimes")),
        ("/spec/sessionAffinity", Value::Null),
        ("/spec/sessionAffinityConfig", Value::Null),
        ("/spec/sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": -1}})),
        ("/spec/internalTrafficPolicy", json!("Nearby")),
    ];
    for (pointer, to) in strange {
        assert_eq!(spec(with(&base, pointer, to.clone())), None, "{pointer}: {to}");
    }
    let status = |value: Value| parse::import(&read(value)).unwrap().1.content.clone().unwrap().status;
    let strange = [
        ("/status", Value::Null),
        ("/status", json!([])),
        ("/status/clusters", json!([{"cluster": "NOT A CLUSTER"}])),
        ("/status/conditions", json!([])),
        ("/status/conditions", json!(["?", {"type": "Ready", "status": "Maybe"}])),
    ];
    for (pointer, to) in strange {
        assert_eq!(status(with(&base, pointer, to.clone())), None, "{pointer}: {to}");
        assert!(spec(with(&base, pointer, to)).is_some());
    }
}

#[test]
fn objects_that_no_service_can_be_named_after_are_passed_over() {
    for (pointer, to) in [
        ("/metadata/name", json!("a.b")),
        ("/metadata/namespace", Value::Null),
        ("/metadata/name", Value::Null),
    ] {
        assert!(parse::import(&read(with(&an_import(), pointer, to.clone()))).is_none(), "{pointer}: {to}");
    }
}

#[test]
fn conditions_of_other_types_and_other_schemas_are_passed_over() {
    let export = json!({
        "metadata": {"name": "echo", "namespace": "demo", "generation": 2},
        "status": {"conditions": [
            7,
            {"type": "example.com/Other", "status": "True"},
            {"type": "Conflict", "status": "False", "reason": "NoConflicts", "lastTransitionTime": "no time"},
            {"type": "Valid", "status": "True", "reason": "Valid", "message": "m", "observedGeneration": 1,
             "lastTransitionTime": "2026-01-01T00:00:00Z"},
        ]},
    });
    let (_, held) = parse::export(&read(export)).unwrap();
    assert!(!held.ours);
    let [valid, conflict] = &held.content.clone().unwrap()[..] else { panic!("two are of our types") };
    assert_eq!((valid.condition.status, valid.observed_generation), (ConditionStatus::True, Some(1)));
    assert_eq!((conflict.since.as_ref(), conflict.observed_generation), (None, None));
}

#[test]
fn an_export_of_an_unknown_schema_is_not_taken_for_one_without_wishes() {
    let asked = |value: Value| parse::service_export(&read::<ServiceExport>(value));
    let base = json!({
        "metadata": {"name": "echo", "namespace": "demo",
                     "annotations": {"isthmus.dev/scope": "west", "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
    });
    let (_, plain) = asked(base.clone()).unwrap();
    assert_eq!(plain.annotations.keys().collect::<Vec<_>>(), ["isthmus.dev/scope"]);
    let (_, labelled) =
        asked(with(&base, "/spec", json!({"exportedLabels": {"a": "b"}, "more": 1}))).unwrap();
    assert_eq!(labelled.exported_labels.len(), 1);
    assert!(asked(with(&base, "/spec", json!({"exportedLabels": ["a"]}))).is_none());
}

#[test]
fn derived_services_are_known_by_name_and_label() {
    let import: federation_model::ServiceId = "demo/echo".parse().unwrap();
    let base = json!({
        "metadata": {"name": names::derived_name(&import).name, "namespace": "demo",
                     "labels": {"app.kubernetes.io/managed-by": "isthmus",
                                "multicluster.kubernetes.io/service-name": "echo"},
                     "ownerReferences": [{"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
                                          "name": "echo", "uid": "u7"}]},
        "spec": {"type": "LoadBalancer", "loadBalancerClass": "isthmus.dev/vip", "ipFamilyPolicy": "PreferDualStack",
                 "allocateLoadBalancerNodePorts": false, "clusterIP": "10.96.0.9", "ipFamilies": ["IPv4"],
                 "ports": [{"name": "p443", "port": 443, "protocol": "TCP", "targetPort": 443},
                           {"name": "p80", "port": 80, "protocol": "TCP", "targetPort": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "240.240.0.1", "ipMode": "VIP"}]}},
    });
    let held = |value: Value| parse::derived(&read::<Service>(value)).unwrap().1;
    let good = held(base.clone());
    assert!(good.ours);
    assert_eq!(good.owner.as_deref(), Some("u7"));
    let content = good.content.clone().unwrap();
    assert_eq!(content.import, import);
    assert_eq!(content.ports.iter().map(|port| port.port.get()).collect::<Vec<_>>(), [80, 443]);
    assert_eq!(content.vips.len(), 1);
    for (pointer, to) in [
        ("/metadata/name", json!("other")),
        ("/metadata/labels", Value::Null),
        ("/spec/type", json!("ClusterIP")),
        ("/spec/loadBalancerClass", Value::Null),
        ("/spec/ipFamilyPolicy", json!("SingleStack")),
        ("/spec", Value::Null),
    ] {
        assert_eq!(held(with(&base, pointer, to.clone())).content, None, "{pointer}: {to}");
    }
    let selector = held(with(&base, "/spec/selector", json!({"app": "x"}))).content.clone().unwrap();
    assert!(selector.selector);
    for ingress in
        [json!([{"hostname": "x"}]), json!([{"ip": "240.240.0.1", "ipMode": "Proxy"}]), Value::Null]
    {
        let none =
            held(with(&base, "/status/loadBalancer/ingress", ingress.clone())).content.clone().unwrap();
        assert_eq!(none.vips, [] as [std::net::IpAddr; 0], "{ingress}");
    }
}

#[test]
fn slices_say_only_what_we_write() {
    let base = json!({
        "metadata": {"name": "x", "namespace": "demo", "labels": {
            "endpointslice.kubernetes.io/managed-by": "isthmus.dev",
            "multicluster.kubernetes.io/service-name": "echo",
            "multicluster.kubernetes.io/source-cluster": "east"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 16_000, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "hostname": "h", "zone": "a"}],
    });
    let held = |value: Value| parse::slice(&read::<EndpointSlice>(value)).unwrap().1;
    let good = held(base.clone());
    assert!(good.ours);
    let content = good.content.clone().unwrap();
    assert!(matches!(content.role, SliceRole::Mcs { .. }));
    assert_eq!(content.ports[0].name, None, "the API server writes no name as an empty one");
    assert!(held(with(&base, "/endpoints", Value::Null)).content.is_some());
    let endpoint =
        |key: &str, to: Value| with(&base, "/endpoints", json!([with(&base["endpoints"][0], key, to)]));
    for strange in [
        with(&base, "/addressType", json!("FQDN")),
        with(&base, "/addressType", json!("IPv6")),
        with(&base, "/ports", json!([{"name": "", "protocol": "TCP"}])),
        with(&base, "/metadata/labels", json!({"multicluster.kubernetes.io/service-name": "echo"})),
        endpoint("/addresses", json!(["10.0.0.1", "10.0.0.2"])),
        endpoint("/addresses", json!(["nowhere"])),
        endpoint("/conditions", Value::Null),
        endpoint("/conditions", json!({"ready": true, "serving": true})),
        endpoint("/nodeName", json!("n")),
        endpoint("/zone", json!("NOT A ZONE")),
    ] {
        assert_eq!(held(strange.clone()).content, None, "{strange}");
    }
    assert!(!held(with(&base, "/metadata/labels", Value::Null)).ours);
}

#[test]
fn properties_keep_only_values_that_could_be_ours() {
    let property = |spec: Value| {
        let object: ClusterProperty = read(json!({"metadata": {"name": "p"}, "spec": spec}));
        parse::property(&object).unwrap().1.content.clone()
    };
    assert_eq!(property(json!({"value": "east"})).as_deref(), Some("east"));
    assert_eq!(property(json!({"value": "x".repeat(2_000)})), None);
    assert_eq!(property(json!({"value": 7})), None);
}
