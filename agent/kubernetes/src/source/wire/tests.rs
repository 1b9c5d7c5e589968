//! What is kept of objects as an API server sends them.

use serde_json::{Value, json};

use super::*;

fn read<T: Wire>(object: &Value) -> Result<T, String> {
    T::read(&object.to_string())
}

#[test]
fn a_slice_keeps_what_an_export_needs_and_nothing_else() {
    let object = json!({
        "metadata": {"namespace": "demo", "name": "echo-x", "labels": {"kubernetes.io/service-name": "echo"},
                     "annotations": {"a": "b"}, "managedFields": [{"manager": "m", "fieldsV1": {}}]},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}],
        "endpoints": [{"addresses": ["10.0.0.1"], "hostname": "h", "zone": "z", "nodeName": "n",
                       "conditions": {"ready": false, "serving": true, "terminating": true},
                       "targetRef": {"kind": "Pod"}, "hints": {"forZones": [{"name": "z"}]}, "newer": {"field": 1}},
                      {"addresses": ["10.0.0.2"]}],
    });
    let SliceItem { theirs, held } = read(&object).unwrap();
    let (service, lean) = theirs.unwrap();
    assert!(held.is_none());
    assert_eq!(service.to_string(), "demo/echo");
    let thawed = lean.thaw(Some(("demo", "echo-x")));
    let kept = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": "demo", "name": "echo-x"}, "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}],
        "endpoints": [{"addresses": ["10.0.0.1"], "hostname": "h", "zone": "z", "conditions": {"ready": false}},
                      {"addresses": ["10.0.0.2"]}],
    });
    assert_eq!(serde_json::to_value(&thawed).unwrap(), kept);
    assert_eq!(LeanSlice::freeze(&thawed), lean.without_nodes());
}

#[test]
fn null_lists_are_empty_ones() {
    let object = json!({"metadata": {"namespace": "demo", "name": "s", "labels": {"kubernetes.io/service-name": "e"}},
                        "addressType": "IPv4", "ports": null, "endpoints": null});
    assert!(read::<SliceItem>(&object).unwrap().theirs.is_some());
}

#[test]
fn a_service_keeps_what_an_export_needs() {
    let object = json!({"metadata": {"namespace": "demo", "name": "echo", "labels": {"a": "b"}},
                        "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1"],
                                 "selector": {"app": "echo"}, "ports": [{"port": 80}], "ipFamilies": ["IPv4"]},
                        "status": {"loadBalancer": {}}});
    let (service, _) = read::<ServiceItem>(&object).unwrap().theirs.unwrap();
    let kept = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "demo", "name": "echo"},
                      "spec": {"type": "ClusterIP", "ports": [{"port": 80}], "ipFamilies": ["IPv4"]}});
    assert_eq!(serde_json::to_value(&*service).unwrap(), kept);
    let headless = json!({"metadata": {"namespace": "demo", "name": "db"}, "spec": {"clusterIP": "None"}});
    let (service, _) = read::<ServiceItem>(&headless).unwrap().theirs.unwrap();
    assert_eq!(service.spec.as_ref().unwrap().cluster_ip.as_deref(), Some("None"));
}

#[test]
fn an_object_that_no_service_can_mean_is_named_so() {
    let object = json!({"metadata": {"namespace": "demo", "name": "a.b"}});
    let error = read::<ExportItem>(&object).unwrap_err();
    assert!(error.contains("no Service can have this name"), "{error}");
    assert!(Identity::of(&object.to_string()).is_some());
    assert!(Identity::of("{\"metadata\":{}}").is_none() && Identity::of("[]").is_none());
}
