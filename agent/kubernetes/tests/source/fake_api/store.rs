//! The objects of the fake, and the events that led to them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Objects by path, then by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: BTreeMap<String, BTreeMap<(String, String), Value>>,
    /// Version, path, type, object.
    events: Vec<(u64, String, &'static str, Value)>,
    /// The version of the last change.
    pub(crate) version: u64,
    /// Versions before this one are gone.
    pub(crate) oldest: u64,
}

impl Store {
    pub(crate) fn put(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        let key = key(&object);
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object["metadata"]["uid"] = json!(format!("uid-{}-{}", key.0, key.1));
        let of_path = self.objects.entry(path.to_owned()).or_default();
        let event = if of_path.insert(key, object.clone()).is_some() { "MODIFIED" } else { "ADDED" };
        self.events.push((self.version, path.to_owned(), event, object));
    }

    pub(crate) fn delete(&mut self, path: &str, namespace: &str, name: &str) {
        let of_path = self.objects.entry(path.to_owned()).or_default();
        if let Some(mut object) = of_path.remove(&(namespace.to_owned(), name.to_owned())) {
            self.version += 1;
            object["metadata"]["resourceVersion"] = json!(self.version.to_string());
            self.events.push((self.version, path.to_owned(), "DELETED", object));
        }
    }

    /// Deletes everything without a word, as what a client misses while it is away.
    pub(crate) fn forget_events(&mut self) {
        self.events.clear();
        self.oldest = self.version + 1;
    }

    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        self.objects.get(path).into_iter().flat_map(|of_path| of_path.values().cloned()).collect()
    }

    /// The lines of a watch after a version, and the version after them.
    pub(crate) fn since(&self, path: &str, version: u64) -> (Vec<String>, u64) {
        let after = self.events.iter().filter(|(at, of, ..)| *at > version && of == path);
        let lines = after.map(|(_, _, kind, object)| line(kind, object)).collect();
        (lines, self.version.max(version))
    }
}

pub(crate) fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn key(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}
