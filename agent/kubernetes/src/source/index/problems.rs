//! Objects that could not be read.

use std::collections::BTreeMap;

use agent_plan::source_state::{Problem, Reason, Severity};

use crate::source::kind::Kind;
use crate::source::wire::Key;

/// Most of them that are named, for each kind.
const MAX_NAMED: usize = 20;
/// Most of them that are remembered, for each kind.
const MAX_KEPT: usize = 1_000;

/// What is wrong with which object.
#[derive(Debug, Default)]
pub(in crate::source) struct ObjectProblems {
    by_kind: BTreeMap<Kind, BTreeMap<Key, String>>,
}

impl ObjectProblems {
    pub(super) fn set(&mut self, kind: Kind, key: &Key, message: String) -> bool {
        let of_kind = self.by_kind.entry(kind).or_default();
        if of_kind.get(key) == Some(&message) || (of_kind.len() >= MAX_KEPT && !of_kind.contains_key(key)) {
            return false;
        }
        of_kind.insert(key.clone(), message);
        true
    }

    pub(super) fn clear(&mut self, kind: Kind, key: &Key) -> bool {
        self.by_kind.get_mut(&kind).is_some_and(|of_kind| of_kind.remove(key).is_some())
    }

    pub(super) fn keys(&self, kind: Kind) -> impl Iterator<Item = Key> {
        self.by_kind.get(&kind).into_iter().flat_map(|of_kind| of_kind.keys().cloned())
    }

    /// As they are told to people.
    pub(in crate::source) fn told(&self) -> Vec<Problem> {
        let mut told = Vec::new();
        for (kind, of_kind) in &self.by_kind {
            for (key, message) in of_kind.iter().take(MAX_NAMED) {
                let object = format!("{} {key}", kind.singular());
                let message = format!("cannot be used, and counts as it was before: {message}");
                told.push(Problem::of_object(Severity::Error, Reason::Field, object, message));
            }
            if let Some(more @ 1..) = of_kind.len().checked_sub(MAX_NAMED) {
                let message = format!("{more} more objects cannot be used");
                told.push(Problem::of_object(Severity::Error, Reason::Field, kind.plural(), message));
            }
        }
        told
    }
}
