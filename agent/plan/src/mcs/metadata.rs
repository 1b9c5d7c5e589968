//! What Kubernetes takes as a label, an annotation and a qualified name (apimachinery, `validation` of metadata), and
//! which of those an exporter may set on a ServiceImport.
//!
//! Asked twice: [`check_labels`] and [`check_annotations`] where an export begins, so that its owner is told; and
//! [`carried_labels`] and [`carried_annotations`] where it is imported, so that no exporter can make a ServiceImport
//! impossible to write or pass it off as somebody else's.

use std::collections::BTreeMap;

use super::names::{MANAGED_BY, OUR_PREFIX};

/// Longest name of a label or annotation after its prefix, and longest value of a label, in bytes.
const MAX_NAME: usize = 63;
/// Longest prefix of a label or annotation, in bytes.
const MAX_PREFIX: usize = 253;
/// Most bytes of all annotations that an import carries, keys and values. Kubernetes allows 256 KiB for all together;
/// the rest is for what others may add.
const MAX_ANNOTATIONS: usize = 128 * 1024;

/// Why a label or an annotation cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// The key is not a qualified name.
    #[error(
        "{0:?} is not a name that Kubernetes takes: an optional DNS name and '/', then at most 63 letters, \
         digits, '-', '_' and '.'"
    )]
    Key(String),
    /// The value of a label is not one.
    #[error(
        "the value of {0:?} is not one that Kubernetes takes: at most 63 letters, digits, '-', '_' and '.'"
    )]
    Value(String),
    /// The key is one that the controller sets itself.
    #[error("{0:?} is set by the controller itself")]
    Reserved(String),
}

/// Checks `spec.exportedLabels`; says what is wrong with the first one that a ServiceImport could not have.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
    labels.iter().try_for_each(|(key, value)| {
        check_key(key, key)?;
        if label_value(value) { Ok(()) } else { Err(InvalidMetadata::Value(shortened(key))) }
    })
}

/// Checks `spec.exportedAnnotations`; says what is wrong with the first one that a ServiceImport could not have.
pub fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
    annotations.keys().try_for_each(|key| check_annotation(key))
}

/// Annotations may have capitals in their prefix, labels may not.
fn check_annotation(key: &str) -> Result<(), InvalidMetadata> {
    check_key(key, &key.to_ascii_lowercase())
}

/// The labels of an import: the exported ones, without what a ServiceImport could not have.
pub(super) fn carried_labels(exported: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let fits = |(key, value): &(&String, &String)| check_key(key, key).is_ok() && label_value(value);
    exported.iter().filter(fits).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The annotations of an import: the exported ones, without what a ServiceImport could not have, and by the order of
/// their names no more than there is room for.
pub(super) fn carried_annotations(exported: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut left = MAX_ANNOTATIONS;
    let mut carried = BTreeMap::new();
    for (key, value) in exported.iter().filter(|(key, _)| check_annotation(key).is_ok()) {
        let size = key.len().saturating_add(value.len());
        let Some(rest) = left.checked_sub(size) else { break };
        left = rest;
        carried.insert(key.clone(), value.clone());
    }
    carried
}

/// Whether a key is the controller's own bookkeeping.
pub(super) fn reserved(key: &str) -> bool {
    key == MANAGED_BY || key.starts_with(OUR_PREFIX)
}

fn check_key(key: &str, as_name: &str) -> Result<(), InvalidMetadata> {
    if !qualified_name(as_name) {
        return Err(InvalidMetadata::Key(shortened(key)));
    }
    if reserved(key) { Err(InvalidMetadata::Reserved(shortened(key))) } else { Ok(()) }
}

/// Whether a text is a qualified name: a label's or annotation's key, an `appProtocol`.
pub(super) fn qualified_name(text: &str) -> bool {
    let name = |name: &str| !name.is_empty() && label_value(name);
    match text.split_once('/') {
        None => name(text),
        Some((prefix, rest)) => prefix.len() <= MAX_PREFIX && prefix.split('.').all(dns_label) && name(rest),
    }
}

/// One part of an RFC 1123 subdomain. A part may be as long as the whole.
fn dns_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.chars().all(inside) && edges(text)
}

/// Whether a text is a label's value.
fn label_value(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.is_empty() || (text.len() <= MAX_NAME && text.chars().all(inside) && edges(text))
}

fn edges(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next()) && edge(text.chars().next_back())
}

/// At most 64 characters of a text that goes into a message.
fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
