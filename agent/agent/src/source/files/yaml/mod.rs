//! From the bytes of one file to located documents, within bounds.

mod path;
mod tree;

use serde_saphyr::{DuplicateKeyPolicy, Error, Options};

pub(super) use path::FieldPath;
pub(super) use tree::{Node, Place};

use super::limits;
use crate::source::{Problem, Reason, Severity};

/// Something wrong in one file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) reason: Reason,
    pub(super) place: Option<Place>,
    pub(super) field: Option<String>,
    pub(super) message: String,
}

impl Mistake {
    /// At a field of a document.
    pub(super) fn at(document: &Node, path: &FieldPath, message: impl ToString) -> Self {
        Self {
            reason: Reason::Field,
            place: Some(document.place_of(path)),
            field: path.to_field(),
            message: message.to_string(),
        }
    }

    /// Of a file as a whole.
    pub(super) fn whole(reason: Reason, message: impl ToString) -> Self {
        Self { reason, place: None, field: None, message: message.to_string() }
    }

    /// As it is told to people.
    pub(super) fn into_problem(self, severity: Severity, file: &str) -> Problem {
        Problem {
            severity,
            reason: self.reason,
            file: file.to_owned(),
            object: None,
            line: self.place.map(|place| place.line),
            column: self.place.map(|place| place.column),
            field: self.field,
            message: self.message,
        }
    }
}

/// The documents of a file, in order; empty ones are left out. Duplicate keys, too deep a nesting, too many nodes and
/// anchors that multiply are mistakes like any other.
pub(super) fn documents(bytes: &[u8]) -> Result<Vec<Node>, Mistake> {
    let text = str::from_utf8(bytes).map_err(|error| not_text(bytes, error.valid_up_to()))?;
    let documents: Vec<Node> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| mistake(&error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: limits::MAX_DOCUMENTS,
            max_nodes: limits::MAX_NODES,
            max_depth: limits::MAX_DEPTH,
            flow_nesting_limit: limits::MAX_DEPTH,
            max_anchors: limits::MAX_ANCHORS,
            max_aliases: limits::MAX_ANCHORS,
            max_recorded_anchor_events: limits::MAX_REPLAYED,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: limits::MAX_REPLAYED,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn not_text(bytes: &[u8], valid: usize) -> Mistake {
    let before = bytes.get(..valid).unwrap_or_default();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    let line = before.get(line_start..).unwrap_or_default();
    let column = String::from_utf8_lossy(line).chars().count();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1);
    Mistake {
        reason: Reason::NotText,
        place: Some(Place { line: number(newlines), column: number(column) }),
        field: None,
        message: "is not UTF-8 text".to_owned(),
    }
}

fn mistake(error: &Error) -> Mistake {
    let place = error.location().map(|at| Place { line: at.line(), column: at.column() });
    // What went wrong inside an alias is told as itself.
    let mut inner = error.without_snippet();
    while let Error::AliasError { error, .. } = inner {
        inner = error.without_snippet();
    }
    let mut message = inner.to_string().lines().next().unwrap_or_default().to_owned();
    // The place is a field of its own.
    if let Some(at) = message.find(" at line ") {
        message.truncate(at);
    }
    match inner {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => {
            let message = format!("too complex, or anchors that multiply: {message}");
            Mistake { reason: Reason::TooComplex, place, field: None, message }
        }
        _ => Mistake { reason: Reason::Syntax, place, field: None, message },
    }
}

#[cfg(test)]
mod tests;
