//! What the fake API server holds.

use std::collections::BTreeMap;

use agent_plan::mcs::crd::{ClusterProperty, ServiceExport, ServiceImport};
use agent_plan::mcs::observed::{Capabilities, McsVersion};
use agent_plan::mcs::{Observed, parse};
use http::Method;
use serde_json::{Value, json};

use super::{Call, merge};

/// Objects by their path in the API.
pub(crate) struct Store {
    pub(crate) objects: BTreeMap<String, Value>,
    /// What each manager applied last, of the object or its status.
    applied: BTreeMap<(String, String), Value>,
    pub(crate) capabilities: Capabilities,
    pub(crate) complete: bool,
    version: u64,
    uids: u64,
}

/// The path of an object that the controller knows: `key("serviceimports", "demo/echo")`.
pub(crate) fn key(resource: &str, name: &str) -> String {
    let group = match resource {
        "serviceimports" | "serviceexports" => "/apis/multicluster.x-k8s.io/v1beta1",
        "endpointslices" => "/apis/discovery.k8s.io/v1",
        "clusterproperties" => "/apis/about.k8s.io/v1beta1",
        "deployments" => "/apis/apps/v1",
        _ => "/api/v1",
    };
    match name.split_once('/') {
        Some((namespace, name)) => format!("{group}/namespaces/{namespace}/{resource}/{name}"),
        None => format!("{group}/{resource}/{name}"),
    }
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            objects: BTreeMap::new(),
            applied: BTreeMap::new(),
            capabilities: Capabilities {
                exports: Some(McsVersion::V1Beta1),
                imports: Some(McsVersion::V1Beta1),
                import_slices_field: true,
                import_lacks: [].into(),
                properties: true,
            },
            complete: true,
            version: 100,
            uids: 0,
        }
    }

    /// Puts an object there whole, with a new uid.
    pub(crate) fn put(&mut self, path: &str, mut value: Value) {
        let (rest, name) = path.rsplit_once('/').unwrap();
        value["metadata"]["name"] = name.into();
        if let Some((_, rest)) = rest.split_once("/namespaces/") {
            value["metadata"]["namespace"] = rest.split('/').next().unwrap().into();
        }
        self.uids += 1;
        self.version += 1;
        value["metadata"]["uid"] = format!("uid-{}", self.uids).into();
        value["metadata"]["resourceVersion"] = self.version.to_string().into();
        value["metadata"]["generation"] = json!(1);
        self.objects.insert(path.to_owned(), value);
    }

    /// Changes an object, if it is there.
    pub(crate) fn change(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut value) = self.objects.get(path).cloned() {
            change(&mut value);
            self.store(path, value);
        }
    }

    pub(crate) fn remove(&mut self, path: &str) {
        self.version += 1;
        self.objects.remove(path);
        self.applied.retain(|(held, _), _| held != path);
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.objects.get(path)
    }

    pub(super) fn serve(&mut self, call: &Call) -> (u16, Value) {
        let (path, status) = match call.path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (call.path.as_str(), false),
        };
        match call.method {
            Method::GET => {
                self.objects.get(path).map_or_else(|| not_found(path), |value| (200, value.clone()))
            }
            Method::POST => self.post(path, call.json()),
            Method::DELETE => self.delete(path, &call.json()),
            _ if call.query.contains("fieldManager") => self.apply(path, status, call),
            _ => self.merge(path, &call.json()),
        }
    }

    fn post(&mut self, path: &str, value: Value) -> (u16, Value) {
        if path.ends_with("/tokenreviews") {
            let good = value["spec"]["token"].as_str().is_some_and(|token| !token.contains("bad"));
            let user = value["spec"]["token"].as_str().unwrap_or_default().contains("user");
            let name = if user { "jane" } else { "system:serviceaccount:mesh:gateway" };
            let audiences = json!(["isthmus-agent"]);
            let status = json!({"authenticated": good, "user": {"username": name}, "audiences": audiences});
            return (201, json!({"status": status}));
        }
        let path = format!("{path}/{}", value["metadata"]["name"].as_str().unwrap());
        self.put(&path, value);
        (201, self.objects[&path].clone())
    }

    fn apply(&mut self, path: &str, status: bool, call: &Call) -> (u16, Value) {
        let body = call.json();
        let manager = call.query.split('&').find_map(|pair| pair.strip_prefix("fieldManager="));
        let owner = (path.to_owned(), format!("{}{status}", manager.unwrap()));
        let held = self.objects.get(path).cloned();
        let asked = body["metadata"]["uid"].as_str();
        if asked.is_some() && held.as_ref().map(|held| held["metadata"]["uid"].as_str()) != Some(asked) {
            return (409, json!({"reason": "Conflict", "message": "the uid is another"}));
        }
        let mut new = body;
        new["metadata"].as_object_mut().unwrap().remove("uid");
        let Some(held) = held else {
            if status {
                return not_found(path);
            }
            self.applied.insert(owner, new.clone());
            self.put(path, new);
            return (201, self.objects[path].clone());
        };
        let old = self.applied.get(&owner).cloned().unwrap_or_default();
        let mut value = held;
        merge::apply(&mut value, &old, &new);
        let fields = value["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<Value> =
            fields.into_iter().filter(|field| field["manager"] != manager.unwrap()).collect();
        fields.push(json!({"manager": manager, "time": "2026-01-01T00:00:00Z"}));
        value["metadata"]["managedFields"] = fields.into();
        self.applied.insert(owner, new);
        self.store(path, value);
        (200, self.objects[path].clone())
    }

    fn merge(&mut self, path: &str, patch: &Value) -> (u16, Value) {
        let Some(held) = self.objects.get(path) else { return not_found(path) };
        let asked = &patch["metadata"]["resourceVersion"];
        if !asked.is_null() && *asked != held["metadata"]["resourceVersion"] {
            return (409, json!({"reason": "Conflict", "message": "it is another version"}));
        }
        let mut value = held.clone();
        merge::merge(&mut value, patch);
        self.store(path, value);
        (200, self.objects[path].clone())
    }

    fn delete(&mut self, path: &str, options: &Value) -> (u16, Value) {
        let Some(held) = self.objects.get(path) else { return not_found(path) };
        if held["metadata"]["uid"] != options["preconditions"]["uid"] {
            return (409, json!({"reason": "Conflict", "message": "the uid is another"}));
        }
        let uid = held["metadata"]["uid"].clone();
        self.remove(path);
        let owned = |value: &Value| value["metadata"]["ownerReferences"][0]["uid"] == uid;
        let owned: Vec<String> =
            self.objects.iter().filter(|(_, value)| owned(value)).map(|(path, _)| path.clone()).collect();
        owned.iter().for_each(|path| self.remove(path));
        (200, json!({"kind": "Status", "status": "Success"}))
    }

    /// A write that changes nothing makes no new version.
    fn store(&mut self, path: &str, mut value: Value) {
        let held = &self.objects[path];
        let mut same = value.clone();
        same["metadata"]["managedFields"] = held["metadata"]["managedFields"].clone();
        if same == *held {
            return;
        }
        if value["spec"] != held["spec"] {
            value["metadata"]["generation"] =
                (value["metadata"]["generation"].as_i64().unwrap_or(1) + 1).into();
        }
        self.version += 1;
        value["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), value);
    }

    /// As the watches would say it.
    pub(crate) fn observe(&self) -> Observed {
        let mut observed = Observed {
            complete: self.complete,
            capabilities: self.capabilities.clone(),
            ..Observed::default()
        };
        for (path, value) in &self.objects {
            let value = value.clone();
            let resource = path.rsplit('/').nth(1).unwrap_or_default();
            match resource {
                "namespaces" if value["metadata"]["deletionTimestamp"].is_null() => {
                    observed.namespaces.insert(value["metadata"]["name"].as_str().unwrap().parse().unwrap());
                }
                "serviceexports" => {
                    let object: ServiceExport = serde_json::from_value(value).unwrap();
                    observed.exports.extend(parse::export(&object));
                }
                "serviceimports" => {
                    let object: ServiceImport = serde_json::from_value(value).unwrap();
                    observed.imports.extend(parse::import(&object));
                }
                "services" => {
                    observed.derived.extend(parse::derived(&serde_json::from_value(value).unwrap()));
                }
                "endpointslices" => {
                    observed.slices.extend(parse::slice(&serde_json::from_value(value).unwrap()));
                }
                "clusterproperties" => {
                    let object: ClusterProperty = serde_json::from_value(value).unwrap();
                    observed.properties.extend(parse::property(&object));
                }
                _ => {}
            }
        }
        observed
    }
}

fn not_found(path: &str) -> (u16, Value) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let message = format!("{name:?} not found");
    (404, json!({"reason": "NotFound", "message": message, "details": {"name": name, "kind": "x"}}))
}
