//! From a document to a typed object, judged as kube-apiserver would judge it before it ever reached a watcher.

mod checks;
mod export;
mod kind;

use std::fmt;
use std::sync::Arc;

use agent_plan::objects::ServiceExport;
use federation_model::{Namespace, ServiceId};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;

use super::limits;
use super::yaml::{FieldPath, Mistake, Node, Place};
use crate::source::Reason;
use kind::{Kind, KindOf};

/// One object of one file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) object: Object,
}

/// The objects that matter here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object {
    Namespace(Namespace),
    Service(ServiceId, Arc<Service>),
    /// The service that its label names, its own name, itself.
    Slice(ServiceId, String, Arc<EndpointSlice>),
    Export(ServiceId, Arc<ServiceExport>),
}

/// What a cluster may hold only once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectKey {
    kind: &'static str,
    namespace: String,
    name: String,
}

impl Object {
    pub(super) fn key(&self) -> ObjectKey {
        let (kind, namespace, name) = match self {
            Self::Namespace(name) => ("Namespace", "", name.as_str()),
            Self::Service(id, _) => ("Service", id.namespace.as_str(), id.name.as_str()),
            Self::Slice(id, name, _) => ("EndpointSlice", id.namespace.as_str(), name.as_str()),
            Self::Export(id, _) => ("ServiceExport", id.namespace.as_str(), id.name.as_str()),
        };
        ObjectKey { kind, namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// What a file came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    pub(super) objects: Vec<Found>,
    /// With any of these the file does not count.
    pub(super) mistakes: Vec<Mistake>,
    /// Passed over on purpose.
    pub(super) warnings: Vec<Mistake>,
}

impl Contents {
    /// Reads every document of a file.
    pub(super) fn of(documents: &[Node]) -> Self {
        let mut contents = Self::default();
        for document in documents {
            contents.add(document, document, &FieldPath::default());
        }
        contents.mistakes.truncate(limits::MAX_PROBLEMS_PER_FILE);
        contents.warnings.truncate(limits::MAX_PROBLEMS_PER_FILE);
        contents
    }

    /// Reads `node`, which is `document` itself or, at `base`, an item of a List.
    fn add(&mut self, document: &Node, node: &Node, base: &FieldPath) {
        let at = |path: &FieldPath, message: String| {
            Mistake::at(document, &base.clone().join(path.clone()), message)
        };
        let kind = match kind::kind_of(node) {
            Ok(kind) => kind,
            Err((path, message)) => return self.mistakes.push(at(&path, message)),
        };
        let read = match kind {
            KindOf::Known(kind) => read(kind, node),
            KindOf::Unknown(what) => {
                let message = format!("{what} is not read by this source");
                let warning = Mistake { reason: Reason::NotRead, ..at(&FieldPath::of(&["kind"]), message) };
                return self.warnings.push(warning);
            }
            KindOf::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(document, item, &base.clone().key("items").index(index));
                }
                return;
            }
        };
        match read {
            Ok(Some(object)) => self.objects.push(Found { place: node.place, object }),
            Ok(None) => {
                let message = "has no label kubernetes.io/service-name: it belongs to no Service".to_owned();
                let warning = at(&FieldPath::of(&["metadata", "labels"]), message);
                self.warnings.push(Mistake { reason: Reason::NotRead, ..warning });
            }
            Err((path, message)) => self.mistakes.push(at(&path, message)),
        }
    }
}

/// A field and what is wrong with it.
type Wrong = (FieldPath, String);

/// `None` for an EndpointSlice that belongs to no Service.
fn read(kind: Kind, node: &Node) -> Result<Option<Object>, Wrong> {
    Ok(Some(match kind {
        Kind::Namespace => {
            let namespace: k8s_openapi::api::core::v1::Namespace = typed(node)?;
            Object::Namespace(checks::name(&namespace.metadata)?)
        }
        Kind::Service => {
            let service: Service = typed(node)?;
            let id = service_id(&service.metadata)?;
            checks::service(&service)?;
            Object::Service(id, Arc::new(service))
        }
        Kind::EndpointSlice => {
            let slice: EndpointSlice = typed(node)?;
            let (name, service) = checks::slice(&slice)?;
            let Some(service) = service else { return Ok(None) };
            Object::Slice(service, name, Arc::new(slice))
        }
        Kind::ServiceExport => {
            let export: export::ServiceExportDocument = typed(node)?;
            let id = service_id(&export.metadata)?;
            Object::Export(id, Arc::new(export.into()))
        }
    }))
}

/// Deserialises a node; an error names the field.
fn typed<T: DeserializeOwned>(node: &Node) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(node.to_json())
        .map_err(|error| (FieldPath::from(error.path()), error.inner().to_string()))
}

fn service_id(metadata: &ObjectMeta) -> Result<ServiceId, Wrong> {
    Ok(ServiceId { namespace: checks::namespace(metadata)?, name: checks::name(metadata)? })
}

#[cfg(test)]
mod tests;
