//! Namespaces.

use federation_model::Namespace;
use serde::Deserialize;

use super::{Meta, Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};

/// A namespace, and whether it is here to stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamespaceItem {
    pub(crate) name: Namespace,
    /// `Terminating` otherwise: Kubernetes sets that phase and the deletion timestamp together.
    pub(crate) live: bool,
}

#[derive(Debug, Deserialize)]
struct Document {
    metadata: Meta,
}

impl Wire for NamespaceItem {
    const KIND: Kind = Kind::Namespaces;
    const METADATA_ONLY: bool = true;

    fn read(json: &str) -> Result<Self, String> {
        let Document { metadata } = typed(json)?;
        let name = metadata.name.parse().map_err(|wrong| format!("metadata.name: {wrong}"))?;
        Ok(Self { name, live: metadata.deletion_timestamp.is_none() })
    }

    fn update(change: Change<Self>) -> Update {
        Update::Namespaces(change)
    }
}
