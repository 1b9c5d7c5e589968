//! The path of a field inside a document.

use std::fmt;

use serde_path_to_error::Segment;

/// Steps from the root of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source::files) struct FieldPath(Vec<Step>);

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source::files) enum Step {
    Key(String),
    Index(usize),
}

impl FieldPath {
    /// This path and then a key.
    #[must_use]
    pub(in crate::source::files) fn key(mut self, key: &str) -> Self {
        self.0.push(Step::Key(key.to_owned()));
        self
    }

    /// This path and then an index.
    #[must_use]
    pub(in crate::source::files) fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// The path of keys.
    pub(in crate::source::files) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// This path and then `rest`.
    #[must_use]
    pub(in crate::source::files) fn join(mut self, rest: Self) -> Self {
        self.0.extend(rest.0);
        self
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The text, unless this is the root.
    pub(in crate::source::files) fn to_field(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.to_string())
    }
}

impl From<&serde_path_to_error::Path> for FieldPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

impl fmt::Display for FieldPath {
    /// `spec.ports[0].port`, `metadata.labels[kubernetes.io/service-name]`. Keys are the user's own text: they are
    /// shortened.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let short: String = key.chars().take(64).collect();
                    let plain = short.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    match (plain, place) {
                        (true, 0) => f.write_str(&short)?,
                        (true, _) => write!(f, ".{short}")?,
                        (false, _) => write!(f, "[{short}]")?,
                    }
                }
            }
        }
        Ok(())
    }
}
