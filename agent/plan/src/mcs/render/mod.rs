//! From content to the bodies of server-side apply: the whole of what we say of an object, and nothing else. What the
//! same field manager said before and does not say now goes away.
//!
//! The status of an object is a body of its own, for its subresource.

mod conditions;
mod derived;
mod export;
mod hash;
mod import;
mod property;
mod slice;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

use super::action::{Action, Object, Owner};
use super::crd;
use super::names::CONTENT;
use super::observed::{McsVersion, Observed};

pub use derived::derived_hash;
pub use import::import_hash;

/// One write, ready to be sent by server-side apply as [`FIELD_MANAGER`](super::names::FIELD_MANAGER), with force.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// What is written.
    pub object: Object,
    /// Whether this is for its subresource `status`.
    pub status: bool,
    /// The body.
    pub body: Value,
}

/// The body of an action. `observed` gives API versions, generations, and since when conditions are what they are;
/// `now` is since when those are that change.
///
/// `None` for a deletion, which has no body, and where the API server does not know the kind.
pub fn render(action: &Action, observed: &Observed, now: &Time) -> Option<Patch> {
    let capabilities = &observed.capabilities;
    let (status, body) = match action {
        Action::ApplyImport { id, content } => {
            let held = observed.imports.get(id).map(AsRef::as_ref);
            (false, import::body(capabilities.imports?, id, content, held, &capabilities.import_lacks))
        }
        Action::ApplyImportStatus { id, status } => {
            let held = observed.imports.get(id).map(AsRef::as_ref);
            (true, import::status(capabilities.imports?, id, status, held, now))
        }
        Action::ApplyDerived { name, owner, content } => {
            (false, derived::body(capabilities.imports?, name, owner, content))
        }
        Action::ApplyDerivedStatus { name, content } => (true, derived::status(name, content)),
        Action::ApplySlice { name, owner, content } => {
            (false, slice::body(capabilities.imports?, name, owner, content))
        }
        Action::ApplyExportStatus { id, conditions } => {
            let held = observed.exports.get(id).map(AsRef::as_ref);
            (true, export::status(capabilities.exports?, id, conditions, held, now))
        }
        Action::ApplyProperty { name, value } => (false, property::body(name, value)),
        Action::Delete { .. } => return None,
    };
    Some(Patch { object: action.object(), status, body })
}

fn mcs_version(version: McsVersion) -> String {
    format!("{}/{}", crd::MCS_GROUP, version.as_str())
}

/// `controller` is not set on purpose: a ServiceImport does not run what it owns (KEP-1645).
fn owner_references(version: McsVersion, owner: &Owner) -> Value {
    json!([{
        "apiVersion": mcs_version(version),
        "kind": "ServiceImport",
        "name": owner.name,
        "uid": owner.uid,
        "controller": false,
    }])
}

/// Puts `value` into `object` under `key`, if there is one.
fn put(object: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(key.to_owned(), value.into());
    }
}

/// The whole object: what `said` holds beside its metadata, and the hash of it all as an annotation.
fn object(api_version: &str, kind: &str, said: Value, name: Map<String, Value>) -> Value {
    let hash = hash::hash(&said);
    let mut object = said;
    put(&mut object, "apiVersion", Some(api_version));
    put(&mut object, "kind", Some(kind));
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.extend(name);
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        put(annotations, CONTENT, Some(hash));
    }
    object
}

/// `name` and `namespace`, for metadata.
fn named(name: &str, namespace: Option<&str>) -> Map<String, Value> {
    let namespace = namespace.map(|namespace| ("namespace".to_owned(), namespace.into()));
    [("name".to_owned(), name.into())].into_iter().chain(namespace).collect()
}

#[cfg(test)]
mod tests;
