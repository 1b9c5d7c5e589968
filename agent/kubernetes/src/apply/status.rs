//! What the controller says of itself on the agent's `/status`.

use serde::Serialize;

pub use super::hold::Why;
pub use super::target::{Kind, Part};

/// What is still to be written, and what cannot be. Bounded: at most 50 objects are named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ApplyStatus {
    /// Writes that are wanted and not under way.
    pub pending: usize,
    /// Writes under way.
    pub in_flight: usize,
    /// Objects that could not be written, and why, by name.
    pub failing: Vec<Failing>,
    /// How many more there are.
    pub more: usize,
    /// Kinds of writes that rest, because the agent may not make them or the API server does not know the kind.
    pub paused: Vec<Paused>,
    /// Objects that somebody else writes as well, over and over.
    pub fights: Vec<String>,
    /// Objects of others that stand where ours should; they are left alone.
    pub foreign: Vec<String>,
}

impl ApplyStatus {
    /// Whether nobody needs to look at anything.
    pub fn ok(&self) -> bool {
        self.failing.is_empty() && self.paused.is_empty() && self.fights.is_empty() && self.foreign.is_empty()
    }
}

/// An object that could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// `ServiceImport demo/echo`.
    pub object: String,
    /// Which part of it.
    pub part: Part,
    /// The sort of failure.
    pub why: Why,
    /// In the API server's words, as far as there are any.
    pub message: String,
}

/// A kind of write that rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// The kind of object.
    pub kind: Kind,
    /// Which part of such objects.
    pub part: Part,
    /// `forbidden` or `missing`.
    pub why: Why,
    /// What is missing: the rule, or the CRD.
    pub message: String,
}
