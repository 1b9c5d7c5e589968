//! An API server in memory, as far as the controller's core can tell: server-side apply by one field manager beside
//! others, subresources, generations, garbage collection by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::mcs::crd::{ClusterProperty, ServiceExport, ServiceImport};
use crate::mcs::observed::{Capabilities, McsVersion, Observed};
use crate::mcs::render::{Patch, render};
use crate::mcs::{Action, Desired, Input, Object, desired, diff, metadata, names, parse};

/// `ServiceImport demo/echo`, as objects are called in actions.
pub(crate) type Key = String;

/// The server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    pub(crate) objects: BTreeMap<Key, Stored>,
    pub(crate) capabilities: Capabilities,
    pub(crate) complete: bool,
    /// Whether objects go when their owner has gone.
    pub(crate) collects_garbage: bool,
    writes: u64,
}

/// An object, and what the controller applied of it last.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) value: Value,
    applied: Value,
    applied_status: Value,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            capabilities: Capabilities {
                exports: Some(McsVersion::V1Beta1),
                imports: Some(McsVersion::V1Beta1),
                import_slices_field: true,
                import_lacks: [].into(),
                properties: true,
            },
            complete: true,
            collects_garbage: true,
            writes: 0,
        }
    }

    /// Puts an object there as somebody else.
    pub(crate) fn put(&mut self, mut value: Value) {
        let meta = &value["metadata"];
        let kind = value["kind"].as_str().unwrap();
        let name = meta["name"].as_str().unwrap();
        let key = match meta["namespace"].as_str() {
            Some(namespace) => format!("{kind} {namespace}/{name}"),
            None => format!("{kind} {name}"),
        };
        self.writes += 1;
        if value["metadata"]["uid"].is_null() {
            value["metadata"]["uid"] = json!(format!("uid-{}", self.writes));
        }
        if value["metadata"]["generation"].is_null() {
            value["metadata"]["generation"] = json!(1);
        }
        let (applied, applied_status) = (Value::Null, Value::Null);
        self.objects.insert(key, Stored { value, applied, applied_status });
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.objects.get(key).map(|stored| &stored.value)
    }

    /// Changes an object as somebody else.
    pub(crate) fn edit(&mut self, key: &str, edit: impl FnOnce(&mut Value)) {
        let stored = self.objects.get_mut(key).unwrap_or_else(|| panic!("there is no {key}"));
        let before = stored.value.clone();
        edit(&mut stored.value);
        self.writes += 1;
        bump(&before, &mut stored.value, self.writes);
    }

    /// One round: what is seen, what is to be done, and doing it.
    pub(crate) fn round(&mut self, input: &Input, now: &str) -> (Desired, Vec<Action>) {
        let observed = self.observe();
        let desired = desired(input, &observed);
        let actions = diff(&desired, &observed);
        self.carry_out(&actions, &observed, now);
        (desired, actions)
    }

    /// Rounds until there is nothing to do; how many had something.
    pub(crate) fn settle(&mut self, input: &Input) -> usize {
        for round in 0..8 {
            let (_, actions) = self.round(input, "2026-01-01T00:00:00Z");
            if actions.is_empty() {
                return round;
            }
        }
        panic!("still not settled: {:#?}", self.round(input, "2026-01-01T00:00:00Z").1);
    }

    pub(crate) fn carry_out(&mut self, actions: &[Action], observed: &Observed, now: &str) {
        let now = Time(now.parse().unwrap());
        for action in actions {
            match render(action, observed, &now) {
                Some(patch) => self.apply(&patch),
                None => self.delete(action),
            }
        }
    }

    fn delete(&mut self, action: &Action) {
        let Action::Delete { object, uid } = action else { panic!("{action:?} has no body") };
        let key = object.to_string();
        let Some(stored) = self.objects.get(&key) else { return };
        assert_eq!(stored.value["metadata"]["uid"].as_str(), Some(uid.as_str()), "{key}");
        self.remove(&key);
    }

    /// Deletes an object, and what it owns.
    pub(crate) fn remove(&mut self, key: &str) {
        let Some(gone) = self.objects.remove(key) else { return };
        if self.collects_garbage {
            let uid = &gone.value["metadata"]["uid"];
            self.objects.retain(|_, stored| {
                let owners = stored.value["metadata"]["ownerReferences"].as_array();
                owners.is_none_or(|owners| owners.iter().all(|owner| &owner["uid"] != uid))
            });
        }
    }

    fn apply(&mut self, patch: &Patch) {
        let key = patch.object.to_string();
        check(&patch.body);
        self.writes += 1;
        if !self.objects.contains_key(&key) {
            assert!(!patch.status, "the status of {key}, which is not there");
            let mut value = patch.body.clone();
            value["metadata"]["uid"] = json!(format!("uid-{}", self.writes));
            value["metadata"]["generation"] = json!(1);
            value["metadata"]["resourceVersion"] = json!(self.writes.to_string());
            if let Object::Derived(_) = patch.object {
                value["spec"]["clusterIP"] = json!("10.96.0.9");
                value["spec"]["ipFamilies"] = json!(["IPv4"]);
            }
            let applied = patch.body.clone();
            self.objects.insert(key, Stored { value, applied, applied_status: Value::Null });
            return;
        }
        let stored = self.objects.get_mut(&key).unwrap();
        let before = stored.value.clone();
        let last = if patch.status { &mut stored.applied_status } else { &mut stored.applied };
        merge(&mut stored.value, last, &patch.body, "", patch.body["kind"] == "Service");
        *last = patch.body.clone();
        bump(&before, &mut stored.value, self.writes);
    }

    pub(crate) fn observe(&self) -> Observed {
        let mut observed = Observed {
            complete: self.complete,
            capabilities: self.capabilities.clone(),
            ..Observed::default()
        };
        for (key, stored) in &self.objects {
            let value = stored.value.clone();
            match key.split_once(' ').unwrap().0 {
                "Namespace" => {
                    if value["metadata"]["deletionTimestamp"].is_null() {
                        observed
                            .namespaces
                            .insert(value["metadata"]["name"].as_str().unwrap().parse().unwrap());
                    }
                }
                "ServiceExport" => {
                    let object: ServiceExport = serde_json::from_value(value).unwrap();
                    observed.exports.extend(parse::export(&object));
                }
                "ServiceImport" => {
                    let object: ServiceImport = serde_json::from_value(value).unwrap();
                    observed.imports.extend(parse::import(&object));
                }
                "Service" => {
                    let object = serde_json::from_value(value).unwrap();
                    observed.derived.extend(parse::derived(&object));
                }
                "EndpointSlice" => {
                    let object = serde_json::from_value(value).unwrap();
                    observed.slices.extend(parse::slice(&object));
                }
                "ClusterProperty" => {
                    let object: ClusterProperty = serde_json::from_value(value).unwrap();
                    observed.properties.extend(parse::property(&object));
                }
                other => panic!("a {other}"),
            }
        }
        observed
    }
}

/// What a real server refuses, as far as we might ever say it.
fn check(body: &Value) {
    for (key, value) in body["metadata"]["labels"].as_object().into_iter().flatten() {
        let label = BTreeMap::from([(key.clone(), value.as_str().unwrap().to_owned())]);
        let ours = key == names::MANAGED_BY && value == names::OURS;
        assert!(ours || metadata::check_labels(&label).is_ok(), "{key}: {value}");
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (ports, endpoints) = match body["kind"].as_str() {
        Some("Service") => (list(&body["spec"]["ports"]), vec![]),
        Some("EndpointSlice") => (list(&body["ports"]), list(&body["endpoints"])),
        _ => return,
    };
    let named: BTreeSet<&str> = ports.iter().filter_map(|port| port["name"].as_str()).collect();
    assert_eq!(named.len(), ports.len(), "each port has a name of its own: {body}");
    assert!(endpoints.len() <= 1_000, "{}", endpoints.len());
    for address in endpoints.iter().flat_map(|endpoint| list(&endpoint["addresses"])) {
        let address: IpAddr = address.as_str().unwrap().parse().unwrap();
        assert!(!address.is_loopback() && !address.is_unspecified(), "{address}");
    }
}

/// A new resource version if anything changed, and a new generation if it was not only the status or metadata.
fn bump(before: &Value, value: &mut Value, writes: u64) {
    if before == value {
        return;
    }
    value["metadata"]["resourceVersion"] = json!(writes.to_string());
    let said = |value: &Value| {
        let mut said = value.clone();
        said.as_object_mut()
            .unwrap()
            .retain(|key, _| !matches!(key.as_str(), "apiVersion" | "metadata" | "status"));
        said
    };
    if said(before) != said(value) {
        let generation = value["metadata"]["generation"].as_i64().unwrap_or_default();
        value["metadata"]["generation"] = json!(generation + 1);
    }
}

/// Server-side apply: what was applied `last` and is not in `new` goes, what is in `new` is set, the rest stays.
fn merge(live: &mut Value, last: &Value, new: &Value, field: &str, service: bool) {
    match (&mut *live, new) {
        (Value::Object(map), Value::Object(new)) => {
            for key in last.as_object().into_iter().flatten().map(|(key, _)| key) {
                if !new.contains_key(key) {
                    map.remove(key);
                }
            }
            for (key, value) in new {
                let live = map.entry(key).or_insert(Value::Null);
                merge(live, &last[key], value, key, service);
            }
        }
        (Value::Array(items), Value::Array(new)) if !list_keys(field, service).is_empty() => {
            let keys = list_keys(field, service);
            let key = |item: &Value| -> Vec<Value> { keys.iter().map(|key| item[key].clone()).collect() };
            let find =
                |items: &[Value], wanted: &Value| items.iter().position(|item| key(item) == key(wanted));
            for gone in last.as_array().into_iter().flatten().filter(|item| find(new, item).is_none()) {
                if let Some(at) = find(items, gone) {
                    items.remove(at);
                }
            }
            for item in new {
                match find(items, item) {
                    Some(at) => {
                        let last = last.as_array().and_then(|last| last.get(find(last, item)?));
                        merge(&mut items[at], last.unwrap_or(&Value::Null), item, "", service);
                    }
                    None => items.push(item.clone()),
                }
            }
        }
        _ => *live = new.clone(),
    }
}

/// By what the items of a list are told apart; nothing where the list is one value (`atomic`). The ports of a Service
/// are told apart by protocol and number, those of imports and slices are not.
fn list_keys(field: &str, service: bool) -> &'static [&'static str] {
    match field {
        "conditions" => &["type"],
        "clusters" => &["cluster"],
        "ownerReferences" => &["uid"],
        "ports" if service => &["port", "protocol"],
        _ => &[],
    }
}
