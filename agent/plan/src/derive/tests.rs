//! Every mistake, alone and beside a service that is right.

use std::sync::Arc;

use federation_model::{ExportScope, MtlsMode};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::objects::ServiceExport;

fn id(name: &str) -> ServiceId {
    format!("demo/{name}").parse().unwrap()
}

fn facts() -> ClusterFacts {
    ClusterFacts {
        cluster: "east".parse().unwrap(),
        trust_domain: "east.lab".parse().unwrap(),
        zone: Some("z1".parse().unwrap()),
    }
}

fn slice(port: Value, endpoint: Value) -> EndpointSlice {
    let slice = json!({"addressType": "IPv4", "ports": [port], "endpoints": [endpoint], "metadata": {}});
    serde_json::from_value(slice).unwrap()
}

fn add(objects: &mut LocalObjects, name: &str, spec: Value, annotations: Value) {
    objects.namespaces.insert("demo".parse().unwrap());
    let service: Service = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
    objects.services.insert(id(name), Arc::new(service));
    let good = slice(json!({"port": 8080}), json!({"addresses": ["10.0.0.1"]}));
    Arc::make_mut(objects.slices.entry(id(name)).or_default()).insert(format!("{name}-1"), Arc::new(good));
    let annotations = serde_json::from_value(annotations).unwrap();
    objects.exports.insert(id(name), Arc::new(ServiceExport { annotations, ..ServiceExport::default() }));
}

fn good() -> LocalObjects {
    let mut objects = LocalObjects::default();
    add(&mut objects, "good", json!({"ports": [{"port": 80}]}), json!({}));
    objects
}

/// The problem of `demo/bad`, having checked that `demo/good` beside it is as it is alone.
fn problem(change: impl FnOnce(&mut LocalObjects)) -> String {
    let mut objects = good();
    change(&mut objects);
    let view = derive(&objects, &facts());
    assert_eq!(view.exports, derive(&good(), &facts()).exports);
    view.invalid.get(&id("bad")).unwrap().to_string()
}

#[test]
fn every_wrong_service_names_the_field() {
    let many: Vec<Value> = (1..=129).map(|n| json!({"name": format!("p{n}"), "port": n})).collect();
    let cases = [
        (json!({"ports": [{"port": 0}]}), "spec.ports[0].port: 0 is not a port number"),
        (json!({"ports": [{"port": 65536}]}), "spec.ports[0].port: 65536 is not"),
        (json!({"ports": [{"port": -1}]}), "spec.ports[0].port: -1 is not"),
        (
            json!({"ports": [{"port": 9, "protocol": "DCCP"}]}),
            "spec.ports[0].protocol: \"DCCP\" is not a protocol",
        ),
        (
            json!({"ports": [{"port": 9, "protocol": "tcp"}]}),
            "spec.ports[0].protocol: \"tcp\" is not a protocol",
        ),
        (
            json!({"ports": [{"port": 9, "name": "a".repeat(300)}]}),
            "spec.ports[0].name: port name has 300 bytes",
        ),
        (
            json!({"ports": [{"port": 9, "name": "Web"}]}),
            "spec.ports[0].name: port name has the character 'W'",
        ),
        (json!({"ports": [{"port": 9, "appProtocol": "a b"}]}), "spec.ports[0].appProtocol"),
        (json!({"ports": [{"port": 9, "name": "a"}, {"port": 10}]}), "spec.ports[1].name: several ports"),
        (
            json!({"ports": [{"port": 9, "name": "a"}, {"port": 10, "name": "a"}]}),
            "spec.ports[1].name: a names two ports",
        ),
        (
            json!({"ports": [{"port": 9, "name": "a"}, {"port": 9, "name": "b"}]}),
            "spec.ports[1].port: 9 is there twice",
        ),
        (json!({"ports": many}), "spec.ports: 129 ports, at most 128"),
        (json!({"ports": []}), "spec.ports: a Service with a cluster IP needs"),
        (json!({}), "spec.ports: a Service with a cluster IP needs"),
        (json!({"type": "Magic", "ports": [{"port": 9}]}), "spec.type: \"Magic\" is not a type"),
        (json!({"type": "ExternalName"}), "a Service of type ExternalName cannot be exported"),
        (json!({"sessionAffinity": "Cookie", "ports": [{"port": 9}]}), "spec.sessionAffinity: \"Cookie\""),
        (
            json!({"sessionAffinity": "ClientIP", "ports": [{"port": 9}],
                   "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}}),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0 is not between",
        ),
    ];
    for (spec, expected) in cases {
        let found = problem(|objects| add(objects, "bad", spec.clone(), json!({})));
        assert!(found.starts_with(expected), "{spec}: {found}");
    }
}

#[test]
fn every_wrong_annotation_names_itself() {
    let many = vec!["east"; 1_025].join(",");
    let cases = [
        (json!({"isthmus.dev/mtls": "endtoend"}), "metadata.annotations[isthmus.dev/mtls]: \"endtoend\" is"),
        (json!({"isthmus.dev/scope": ""}), "metadata.annotations[isthmus.dev/scope]: has an empty entry"),
        (json!({"isthmus.dev/scope": "east,,west"}), "metadata.annotations[isthmus.dev/scope]: has an empty"),
        (json!({"isthmus.dev/scope": "East"}), "metadata.annotations[isthmus.dev/scope]: cluster id has"),
        (json!({"isthmus.dev/scope": many}), "metadata.annotations[isthmus.dev/scope]: has more than 1024"),
        (json!({"isthmus.dev/scop": "east"}), "metadata.annotations[isthmus.dev/scop]: is not known"),
        (
            json!({"isthmus.dev/identities": "spiffe://east.lab/ns/demo/sa/x"}),
            "metadata.annotations[isthmus.dev/identities]: means something only with",
        ),
        (
            json!({"isthmus.dev/mtls": "EndToEnd", "isthmus.dev/identities": "spiffe://west.lab/ns/demo/sa/x"}),
            "metadata.annotations[isthmus.dev/identities]: spiffe://west.lab/ns/demo/sa/x is not of this",
        ),
        (
            json!({"isthmus.dev/mtls": "EndToEnd", "isthmus.dev/identities": "east.lab"}),
            "metadata.annotations[isthmus.dev/identities]: \"east.lab\": SPIFFE id",
        ),
    ];
    for (annotations, expected) in cases {
        let spec = json!({"ports": [{"port": 80}]});
        let found = problem(|objects| add(objects, "bad", spec, annotations.clone()));
        assert!(found.starts_with(expected), "{annotations}: {found}");
    }
}

#[test]
fn every_wrong_slice_names_itself_and_the_field() {
    let (port, address) = (json!({"port": 8080}), json!({"addresses": ["10.0.0.1"]}));
    let cases = [
        (json!({"port": 0}), address.clone(), "EndpointSlice s: ports[0].port: 0 is not"),
        (json!({"port": 1, "protocol": "DCCP"}), address, "EndpointSlice s: ports[0].protocol: \"DCCP\""),
        (port.clone(), json!({"addresses": []}), "EndpointSlice s: endpoints[0].addresses: has no address"),
        (
            port.clone(),
            json!({"addresses": ["x"]}),
            "EndpointSlice s: endpoints[0].addresses[0]: \"x\" is not",
        ),
        (
            port.clone(),
            json!({"addresses": ["10.0.0.1"], "zone": "a b"}),
            "EndpointSlice s: endpoints[0].zone: zone has",
        ),
        (
            port,
            json!({"addresses": ["10.0.0.1"], "hostname": "A"}),
            "EndpointSlice s: endpoints[0].hostname: port name has",
        ),
    ];
    for (port, endpoint, expected) in cases {
        let found = problem(|objects| {
            add(objects, "bad", json!({"ports": [{"port": 80}]}), json!({}));
            let slices = Arc::make_mut(objects.slices.entry(id("bad")).or_default());
            slices.insert("s".to_owned(), Arc::new(slice(port.clone(), endpoint.clone())));
        });
        assert!(found.starts_with(expected), "{port} {endpoint}: {found}");
    }
}

#[test]
fn metadata_is_bounded() {
    let spec = json!({"ports": [{"port": 80}]});
    let found = problem(|objects| {
        add(objects, "bad", spec.clone(), json!({}));
        let export = Arc::make_mut(objects.exports.get_mut(&id("bad")).unwrap());
        export.exported_labels = (0..257).map(|n| (n.to_string(), String::new())).collect();
    });
    assert!(found.starts_with("spec.exportedLabels: 257 entries"), "{found}");
    let found = problem(|objects| {
        add(objects, "bad", spec, json!({}));
        let export = Arc::make_mut(objects.exports.get_mut(&id("bad")).unwrap());
        export.exported_annotations = [("big".to_owned(), "x".repeat(MAX_METADATA_BYTES))].into();
    });
    assert!(found.starts_with("spec.exportedAnnotations: 65539 bytes"), "{found}");
}

#[test]
fn missing_things_are_named() {
    assert_eq!(
        problem(|objects| {
            objects.exports.insert(id("bad"), Arc::default());
        }),
        "there is no Service of this name in this namespace"
    );
    let mut objects = good();
    objects.namespaces.clear();
    let view = derive(&objects, &facts());
    assert_eq!(view.invalid[&id("good")].to_string(), "metadata.namespace: there is no Namespace demo");
}

#[test]
fn annotations_and_defaults_are_read() {
    let mut objects = LocalObjects::default();
    let annotations = json!({"isthmus.dev/mtls": "EndToEnd", "isthmus.dev/scope": "east, west",
                             "isthmus.dev/identities": "spiffe://east.lab/ns/demo/sa/x",
                             "example.com/other": "is not ours"});
    add(&mut objects, "bad", json!({"ports": [{"port": 80}]}), annotations);
    let view = derive(&objects, &facts());
    let own = &view.exports[&id("bad")];
    let clusters = ["east", "west"].map(|c| c.parse().unwrap());
    assert_eq!(own.export.scope, ExportScope::Clusters(clusters.into()));
    let identity = "spiffe://east.lab/ns/demo/sa/x".parse().unwrap();
    assert_eq!(own.export.mtls, MtlsMode::EndToEnd { identities: [identity].into() });
    assert_eq!(own.backends[0].zone, facts().zone, "the cluster's zone, where an endpoint names none");
    assert!(own.backends[0].ready, "no condition means ready");
}

proptest! {
    /// Exports are judged one by one: leaving some out changes nothing for the others.
    #[test]
    fn exports_do_not_affect_each_other(
        ports in proptest::collection::vec(-1..70_000i32, 1..6),
        keep in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let mut all = LocalObjects::default();
        let mut some = LocalObjects::default();
        for (index, port) in ports.iter().enumerate() {
            let name = format!("s{index}");
            let spec = json!({"ports": [{"port": port}]});
            add(&mut all, &name, spec.clone(), json!({}));
            if keep[index] {
                add(&mut some, &name, spec, json!({}));
            }
        }
        let (all, some) = (derive(&all, &facts()), derive(&some, &facts()));
        for (id, export) in &some.exports {
            prop_assert_eq!(all.exports.get(id), Some(export));
        }
        for (id, reason) in &some.invalid {
            prop_assert_eq!(all.invalid.get(id), Some(reason));
        }
    }
}
