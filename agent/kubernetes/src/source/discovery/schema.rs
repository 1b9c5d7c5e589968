//! Which fields the installed CRD of ServiceImport has, by the server's OpenAPI v3 document, which every authenticated
//! user may read. A field that is not in it would be pruned, and written again for ever.

use std::collections::{BTreeMap, BTreeSet};

use agent_plan::mcs::observed::{ImportField, McsVersion};
use kube::Client;
use serde::Deserialize;
use serde_json::Value;

use crate::source::kind::Kind;
use crate::source::watch::get;

/// The document as it was read last.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// Its address, which holds its hash.
    edition: String,
    fields: ImportFields,
}

/// What depends on the edition of the CRD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ImportFields {
    /// `status.endpointSliceObjects` is there.
    pub(super) slices: bool,
    /// Fields of the spec that are not.
    pub(super) lacks: BTreeSet<ImportField>,
}

#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    paths: BTreeMap<String, Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "serverRelativeURL")]
    url: String,
}

impl Schema {
    /// Whether the document was ever read, and is not merely assumed.
    pub(super) fn is_known(&self) -> bool {
        !self.edition.is_empty()
    }

    /// The fields of ServiceImport. The document is read again only when its address has changed. What cannot be found
    /// out stays as it was; at first, a CRD of MCS-API v0.5 is assumed.
    pub(super) async fn import_fields(&mut self, client: &Client, version: McsVersion) -> ImportFields {
        let path = format!("apis/{}/{}", Kind::ServiceImports.group(), version.as_str());
        let index = match get(client, "/openapi/v3").await {
            Ok(body) => serde_json::from_slice::<Index>(&body).ok(),
            Err(_) => None,
        };
        let Some(entry) = index.as_ref().and_then(|index| index.paths.get(&path)) else {
            return self.fields.clone();
        };
        if entry.url != self.edition
            && entry.url.starts_with('/')
            && let Ok(body) = get(client, &entry.url).await
            && let Ok(document) = serde_json::from_slice::<Value>(&body)
        {
            self.fields = import_fields(&document);
            self.edition.clone_from(&entry.url);
        }
        self.fields.clone()
    }
}

/// Looks for the fields in the schema whose kind is ServiceImport.
fn import_fields(document: &Value) -> ImportFields {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let is_import = |schema: &&Value| {
        let kinds = schema.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
        kinds.into_iter().flatten().any(|kind| kind.get("kind").is_some_and(|kind| kind == "ServiceImport"))
    };
    let import = schemas.into_iter().flat_map(|schemas| schemas.values()).find(is_import);
    let Some(import) = import else { return ImportFields::default() };
    let has =
        |part: &str, field: &str| import.pointer(&format!("/properties/{part}/properties/{field}")).is_some();
    ImportFields {
        slices: has("status", "endpointSliceObjects"),
        lacks: ImportField::ALL.into_iter().filter(|field| !has("spec", field.as_str())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_field_is_found_by_kind_wherever_the_schema_is_named() {
        let with = |status: Value, spec: Value| {
            json!({"components": {"schemas": {
                "other": {"properties": {"status": {"properties": {"endpointSliceObjects": {}}}}},
                "io.x-k8s.multicluster.v1beta1.ServiceImport": {
                    "x-kubernetes-group-version-kind": [{"group": "g", "kind": "ServiceImport", "version": "v"}],
                    "properties": {"status": {"properties": status}, "spec": {"properties": spec}},
                },
            }}})
        };
        let all = json!({"ipFamilies": {}, "internalTrafficPolicy": {}, "trafficDistribution": {}});
        let newest = import_fields(&with(json!({"endpointSliceObjects": {"type": "string"}}), all));
        assert_eq!(newest, ImportFields { slices: true, lacks: BTreeSet::new() });
        let oldest = import_fields(&with(json!({"clusters": {}}), json!({"ports": {}})));
        assert_eq!(oldest, ImportFields { slices: false, lacks: ImportField::ALL.into() });
        assert_eq!(import_fields(&json!({"components": 7})), ImportFields::default());
    }
}
