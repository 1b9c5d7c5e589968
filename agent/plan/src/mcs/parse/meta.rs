//! What every object's metadata says.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::ServiceId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::mcs::names::CONTENT;
use crate::mcs::observed::{Held, ObjectName};

/// The service that an object stands for by its namespace and name.
pub(super) fn service_id(meta: &ObjectMeta) -> Option<ServiceId> {
    Some(ServiceId {
        namespace: meta.namespace.as_deref()?.parse().ok()?,
        name: meta.name.as_deref()?.parse().ok()?,
    })
}

pub(super) fn object_name(meta: &ObjectMeta) -> Option<ObjectName> {
    Some(ObjectName { namespace: meta.namespace.as_deref()?.parse().ok()?, name: meta.name.clone()? })
}

/// An object with this metadata; it is ours if `marker` is among its labels.
pub(super) fn held<T>(meta: &ObjectMeta, marker: (&str, &str), content: Option<T>) -> Arc<Held<T>> {
    Arc::new(Held {
        uid: meta.uid.clone().unwrap_or_default(),
        resource_version: meta.resource_version.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        deleting: meta.deletion_timestamp.is_some(),
        ours: label(meta, marker.0) == Some(marker.1),
        applied: text(meta.annotations.as_ref(), CONTENT).map(str::to_owned),
        owner: owner(meta),
        content,
    })
}

pub(super) fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    text(meta.labels.as_ref(), key)
}

fn text<'a>(map: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    map?.get(key).map(String::as_str)
}

fn owner(meta: &ObjectMeta) -> Option<String> {
    match meta.owner_references.as_deref() {
        Some([only]) if only.kind == "ServiceImport" => Some(only.uid.clone()),
        _ => None,
    }
}
