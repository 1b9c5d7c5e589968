//! One line of a watch.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::Failure;
use super::request::StatusDocument;
use crate::connect::Trouble;
use crate::source::wire::{Identity, Item, Key, Wire};

/// The annotation of the bookmark after the last object of a streaming list (KEP-3157).
const LIST_ENDS: &str = "k8s.io/initial-events-end";

/// What a line says.
#[derive(Debug)]
pub(super) enum Event<T> {
    /// An object was created or changed; and the version of the kind.
    Set(Item<T>, String),
    /// An object was deleted; and the version of the kind.
    Removed(Key, String),
    /// Nothing happened up to this version.
    Bookmark {
        version: String,
        /// It is the one after the last object of a streaming list.
        list_ends: bool,
    },
}

#[derive(Debug, Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

#[derive(Debug, Deserialize)]
struct Bookmark {
    metadata: BookmarkMeta,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkMeta {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

impl<T: Wire> Event<T> {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no event, or an ERROR of the server.
    pub(super) fn of(line: &[u8]) -> Result<Self, Failure> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| nonsense(error.to_string()))?;
        let json = line.object.get();
        match line.kind {
            "ADDED" | "MODIFIED" => {
                let (key, version) = identity(json)?;
                Ok(Self::Set(Item { key, read: T::read(json) }, version))
            }
            "DELETED" => identity(json).map(|(key, version)| Self::Removed(key, version)),
            "BOOKMARK" => {
                let Bookmark { metadata } =
                    serde_json::from_str(json).map_err(|error| nonsense(error.to_string()))?;
                let list_ends = metadata.annotations.get(LIST_ENDS).is_some_and(|value| value == "true");
                if metadata.resource_version.is_empty() {
                    return Err(nonsense("a bookmark without a version".to_owned()));
                }
                Ok(Self::Bookmark { version: metadata.resource_version, list_ends })
            }
            "ERROR" => {
                let status: StatusDocument = serde_json::from_str(json).unwrap_or_default();
                Err(Failure::of_status(status.code, &status.message, status.retry_after()))
            }
            other => Err(nonsense(format!("an event of type {other:?}"))),
        }
    }
}

/// Without a version there is no resuming.
fn identity(json: &str) -> Result<(Key, String), Failure> {
    Identity::of(json)
        .filter(|(_, version)| !version.is_empty())
        .ok_or_else(|| nonsense("an object without a name or a version".to_owned()))
}

fn nonsense(detail: String) -> Failure {
    Failure::from(Trouble::Nonsense { detail })
}
