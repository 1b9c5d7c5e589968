//! From the JSON of one object to what is kept of it. What is not needed is not even allocated where that matters
//! (EndpointSlices), and never kept.
//!
//! The API server has validated every object, but by the schema of the CRD that somebody installed, which may be newer
//! than ours: an object that does not fit is a problem of that object alone.

mod export;
mod import;
mod meta;
mod namespace;
mod node;
mod property;
mod service;
mod slice;

use std::sync::Arc;

use serde::Deserialize;

pub(super) use export::ExportItem;
pub(super) use import::ImportItem;
pub(super) use meta::Meta;
pub(super) use namespace::NamespaceItem;
pub(super) use node::NodeItem;
pub(super) use property::PropertyItem;
pub(super) use service::{LoadBalancer, ServiceItem};
pub(super) use slice::{LeanSlice, SliceItem};

use super::kind::Kind;
use super::message::{Change, Update};

/// A kind of objects: how one is read, and where it goes.
pub(super) trait Wire: Sized + Send + 'static {
    /// The kind.
    const KIND: Kind;
    /// Whether the metadata is all that is asked for.
    const METADATA_ONLY: bool = false;

    /// Reads one object.
    ///
    /// # Errors
    /// With what is wrong with it, for people.
    fn read(json: &str) -> Result<Self, String>;

    /// Wraps a change for the index.
    fn update(change: Change<Self>) -> Update;
}

/// Namespace (empty in kinds of the whole cluster) and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) namespace: Arc<str>,
    pub(super) name: Arc<str>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// An object as it was received: what is kept of it, or why it cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item<T> {
    pub(super) key: Key,
    pub(super) read: Result<T, String>,
}

/// Which object it is, and at which version.
#[derive(Debug, Deserialize)]
pub(super) struct Identity {
    metadata: IdentityMeta,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityMeta {
    #[serde(default)]
    namespace: Arc<str>,
    #[serde(default)]
    name: Arc<str>,
    #[serde(default)]
    resource_version: String,
}

impl Identity {
    /// Reads an object's identity; `None` where it has none, and so is no object.
    pub(super) fn of(json: &str) -> Option<(Key, String)> {
        let Self { metadata } = serde_json::from_str(json).ok()?;
        let key = Key { namespace: metadata.namespace, name: metadata.name };
        (!key.name.is_empty()).then_some((key, metadata.resource_version))
    }
}

/// Deserialises a whole object.
fn typed<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
