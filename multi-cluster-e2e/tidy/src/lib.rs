//! The rules of the house, as tests: `cargo test -p multi-cluster-e2e-tidy`.
//!
//! Owns: the reading of the repository and the rules over it. Must never: build anything, write anything, or depend
//! on another crate of the workspace. Each rule is a function from texts to [`Problem`]s; beside it stands a test
//! that shows a sample which breaks it, so that a rule that finds nothing is known to look. `tests/house.rs` applies
//! the rules to the repository.
//!
//! Modules in reading order:
//! - [`repository`]: the files, and which of them are sources, tests or generated. [`workspace`]: the crates.
//! - [`lexer`]: Rust text without its comments and strings; [`tests_in`]: which lines of it are test code.
//! - [`rules`]: one file per rule.

use std::fmt;

pub mod lexer;
pub mod repository;
pub mod rules;
pub mod tests_in;
pub mod workspace;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path from the root of the repository, or the name of a crate.
    pub at: String,
    /// Line, from 1, where the rule is about a line.
    pub line: Option<usize>,
    /// What is wrong, and what to do instead.
    pub what: String,
}

impl Problem {
    /// A problem of a whole file or crate.
    pub fn whole(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), line: None, what: what.into() }
    }

    /// A problem at byte `offset` of `text`.
    pub fn in_text(at: impl Into<String>, text: &str, offset: usize, what: impl Into<String>) -> Self {
        Self { at: at.into(), line: Some(line_of(text, offset)), what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.at, self.what),
            None => write!(f, "{}: {}", self.at, self.what),
        }
    }
}

/// The line, from 1, of byte `offset`.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
