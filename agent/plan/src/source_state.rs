//! What a source says: the objects as they count now, and what is wrong with what it read.

use std::fmt;

use serde::Serialize;

use crate::objects::LocalObjects;

/// The last good objects, whole, and every problem there is at the moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SourceState {
    /// What counts. A file with a mistake is in here as it was before the mistake.
    pub objects: LocalObjects,
    /// What is wrong now, by file and line, or by object.
    pub problems: Vec<Problem>,
    /// Whether the source could be read at all since the start. Until then an empty `objects` means "not known".
    pub loaded: bool,
}

impl SourceState {
    /// Whether everything could be read and counts; warnings do not matter.
    pub fn ok(&self) -> bool {
        self.loaded && self.problems.iter().all(|problem| problem.severity == Severity::Warning)
    }
}

/// Something that a person should look at, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it keeps something from counting.
    pub severity: Severity,
    /// What sort of problem it is.
    pub reason: Reason,
    /// The file, by its name in the directory; the directory itself where it is at fault. Empty where the source is an
    /// API server.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The object or the kind in an API server: `ServiceExport demo/echo`, `Nodes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Path of the field: `spec.ports[0].port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What was read does not count; the last good state does.
    Error,
    /// What was read was passed over on purpose.
    Warning,
}

/// The sorts of problems: a closed set, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The directory or the file cannot be read.
    Unreadable,
    /// More files, or more bytes in one, than are allowed.
    TooLarge,
    /// Not UTF-8.
    NotText,
    /// Not YAML, or a key is there twice.
    Syntax,
    /// Nested too deeply, too many nodes, or anchors that multiply.
    TooComplex,
    /// A field has a value that it may not have.
    Field,
    /// The object is defined elsewhere already.
    Duplicate,
    /// A kind that this source does not read.
    NotRead,
    /// The directory is not watched, only looked at now and then.
    NotWatched,
    /// The API server does not know the kind: its CRD is not installed.
    NotServed,
    /// A rule is missing from our role.
    Forbidden,
    /// The API server cannot be reached, or cannot answer.
    Unreachable,
    /// What counts is from a snapshot of an earlier run.
    Stale,
}

impl Problem {
    /// A problem of an object, or of a whole kind, in an API server.
    pub fn of_object(
        severity: Severity,
        reason: Reason,
        object: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            reason,
            file: String::new(),
            object: Some(object.into()),
            line: None,
            column: None,
            field: None,
            message: message.into(),
        }
    }
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Unreadable,
        Self::TooLarge,
        Self::NotText,
        Self::Syntax,
        Self::TooComplex,
        Self::Field,
        Self::Duplicate,
        Self::NotRead,
        Self::NotWatched,
        Self::NotServed,
        Self::Forbidden,
        Self::Unreachable,
        Self::Stale,
    ];

    /// The word for metric labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::NotText => "not_text",
            Self::Syntax => "syntax",
            Self::TooComplex => "too_complex",
            Self::Field => "field",
            Self::Duplicate => "duplicate",
            Self::NotRead => "not_read",
            Self::NotWatched => "not_watched",
            Self::NotServed => "not_served",
            Self::Forbidden => "forbidden",
            Self::Unreachable => "unreachable",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Problem {
    /// `demo.yaml:12:9: spec.ports[0].port: 0 is not a port number`, or the object in place of file and line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.object.as_deref().unwrap_or(&self.file))?;
        for place in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{place}")?;
        }
        match &self.field {
            Some(field) => write!(f, ": {field}: {}", self.message),
            None => write!(f, ": {}", self.message),
        }
    }
}
