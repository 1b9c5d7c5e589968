//! What to do about the difference between what should be and what is.

use std::fmt;

use federation_model::ServiceId;

use super::content::{Condition, DerivedContent, ImportContent, ImportStatus, SliceContent};
use super::observed::ObjectName;

/// One write. Each is right by itself: they may be carried out in any order, and any may fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Create or correct a ServiceImport.
    ApplyImport {
        /// Its namespace and name.
        id: ServiceId,
        /// What it says.
        content: ImportContent,
    },
    /// Set a ServiceImport's status.
    ApplyImportStatus {
        /// Its namespace and name.
        id: ServiceId,
        /// The status.
        status: ImportStatus,
    },
    /// Create or correct a derived Service.
    ApplyDerived {
        /// Its own namespace and name.
        name: ObjectName,
        /// The uid of the import that owns it.
        owner: Owner,
        /// What it says.
        content: DerivedContent,
    },
    /// Set a derived Service's VIPs, which are its status.
    ApplyDerivedStatus {
        /// Its own namespace and name.
        name: ObjectName,
        /// What it says.
        content: DerivedContent,
    },
    /// Create or correct an EndpointSlice.
    ApplySlice {
        /// Its own namespace and name.
        name: ObjectName,
        /// The import that owns it.
        owner: Owner,
        /// What it says.
        content: SliceContent,
    },
    /// Set a ServiceExport's conditions.
    ApplyExportStatus {
        /// Its namespace and name.
        id: ServiceId,
        /// Every condition that we set.
        conditions: Vec<Condition>,
    },
    /// Create or correct a ClusterProperty.
    ApplyProperty {
        /// Its name.
        name: String,
        /// `spec.value`.
        value: String,
    },
    /// Delete an object of ours, if it is still the one that was observed.
    Delete {
        /// What it is.
        object: Object,
        /// Its uid.
        uid: String,
    },
}

/// The ServiceImport that owns a derived object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name; it is in the object's namespace.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Action {
    /// What it writes.
    pub fn object(&self) -> Object {
        match self {
            Self::ApplyImport { id, .. } | Self::ApplyImportStatus { id, .. } => Object::Import(id.clone()),
            Self::ApplyDerived { name, .. } | Self::ApplyDerivedStatus { name, .. } => {
                Object::Derived(name.clone())
            }
            Self::ApplySlice { name, .. } => Object::Slice(name.clone()),
            Self::ApplyExportStatus { id, .. } => Object::Export(id.clone()),
            Self::ApplyProperty { name, .. } => Object::Property(name.clone()),
            Self::Delete { object, .. } => object.clone(),
        }
    }
}

/// An object that the controller writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A ServiceExport: its status only. Never deleted.
    Export(ServiceId),
    /// A ServiceImport.
    Import(ServiceId),
    /// A derived Service.
    Derived(ObjectName),
    /// An EndpointSlice.
    Slice(ObjectName),
    /// A ClusterProperty.
    Property(String),
}

impl fmt::Display for Object {
    /// `ServiceImport demo/echo`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Export(id) => write!(f, "ServiceExport {id}"),
            Self::Import(id) => write!(f, "ServiceImport {id}"),
            Self::Derived(name) => write!(f, "Service {}/{}", name.namespace, name.name),
            Self::Slice(name) => write!(f, "EndpointSlice {}/{}", name.namespace, name.name),
            Self::Property(name) => write!(f, "ClusterProperty {name}"),
        }
    }
}
