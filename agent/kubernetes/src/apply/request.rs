//! From an action to a request, and what the request says that must be remembered.

use agent_plan::mcs::content::Condition;
use agent_plan::mcs::crd::{ABOUT_GROUP, ABOUT_VERSION, MCS_GROUP};
use agent_plan::mcs::names::CONTENT;
use agent_plan::mcs::observed::{Capabilities, Recorded};
use agent_plan::mcs::{Action, Object, Observed, render};
use http::Method;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::MANAGER;
use super::held;
use crate::call;

/// A request, ready to be sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) content: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) sent: Sent,
}

/// What a request says beyond its action: it is part of what is known once the request was answered.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    /// The annotation with the hash of the content.
    pub(super) applied: Option<String>,
    /// The conditions, with their times.
    pub(super) conditions: Vec<Recorded>,
}

/// The request for `action`, given what is known now. `None` if the API server does not know the kind (any more).
///
/// An object that is known is written by its uid: should it have been replaced meanwhile, the API server says so instead
/// of giving our status to a stranger or bringing a deleted object back.
pub(super) fn request(action: &Action, observed: &Observed, now: &Time) -> Option<Request> {
    let object = action.object();
    let mut path = path(&object, &observed.capabilities)?;
    if let Action::Delete { uid, .. } = action {
        let body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        });
        let body = body.to_string().into_bytes();
        return Some(Request {
            method: Method::DELETE,
            path,
            content: call::JSON,
            body,
            sent: Sent::default(),
        });
    }
    let render::Patch { status, mut body, .. } = render::render(action, observed, now)?;
    let sent = sent(action, &body);
    if let (Some(seen), Some(Value::Object(metadata))) =
        (held::seen(observed, &object), body.get_mut("metadata"))
    {
        metadata.insert("uid".to_owned(), seen.uid.into());
    }
    if status {
        path.push_str("/status");
    }
    path.push_str("?fieldManager=");
    path.push_str(MANAGER);
    // What the schema does not have was left out already; a warning that nobody reads costs the API server a parse.
    path.push_str("&force=true&fieldValidation=Ignore");
    Some(Request {
        method: Method::PATCH,
        path,
        content: call::APPLY,
        body: body.to_string().into_bytes(),
        sent,
    })
}

/// Where an object is; `None` if the API server does not know its kind.
pub(super) fn path(object: &Object, capabilities: &Capabilities) -> Option<String> {
    let mcs =
        |version: agent_plan::mcs::observed::McsVersion, id: &federation_model::ServiceId, resource: &str| {
            let version = version.as_str();
            format!("/apis/{MCS_GROUP}/{version}/namespaces/{}/{resource}/{}", id.namespace, id.name)
        };
    Some(match object {
        Object::Import(id) => mcs(capabilities.imports?, id, "serviceimports"),
        Object::Export(id) => mcs(capabilities.exports?, id, "serviceexports"),
        Object::Derived(name) => format!("/api/v1/namespaces/{}/services/{}", name.namespace, name.name),
        Object::Slice(name) => {
            let (namespace, name) = (&name.namespace, &name.name);
            format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}")
        }
        Object::Property(name) => format!("/apis/{ABOUT_GROUP}/{ABOUT_VERSION}/clusterproperties/{name}"),
    })
}

fn sent(action: &Action, body: &Value) -> Sent {
    let applied = body.pointer("/metadata/annotations").and_then(|annotations| annotations.get(CONTENT));
    let applied = applied.and_then(Value::as_str).map(str::to_owned);
    let conditions: &[Condition] = match action {
        Action::ApplyExportStatus { conditions, .. } => conditions,
        Action::ApplyImportStatus { status, .. } => std::slice::from_ref(&status.ready),
        _ => &[],
    };
    let rendered = body.pointer("/status/conditions").and_then(Value::as_array).map(Vec::as_slice);
    let conditions = conditions.iter().map(|condition| {
        let mut rendered = rendered.unwrap_or_default().iter();
        let rendered =
            rendered.find(|one| one.get("type").is_some_and(|kind| kind == condition.kind.as_str()));
        let since = rendered.and_then(|one| one.get("lastTransitionTime")?.as_str()?.parse().ok().map(Time));
        let observed_generation = rendered.and_then(|one| one.get("observedGeneration")?.as_i64());
        Recorded { condition: condition.clone(), since, observed_generation }
    });
    Sent { applied, conditions: conditions.collect() }
}
