//! What a person is told, as Kubernetes Events, when something changes: once for each change, in the words of the
//! conditions. A state that was told before is not told again, and a state that is as everybody expects is not told at
//! all.

use super::action::Object;
use super::content::{Condition, ConditionKind, ConditionStatus};
use super::diff::Foreign;

/// Longest message of an Event, in bytes (events.k8s.io/v1, `note`).
const MAX_MESSAGE: usize = 1_024;

/// One Event, apart from what it is about and when it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventContent {
    /// `type`.
    pub kind: EventKind,
    /// `reason`: one word, from a closed set.
    pub reason: &'static str,
    /// `message` (`note`), for people.
    pub message: String,
}

/// The type of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

impl EventKind {
    /// `Normal` or `Warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What to tell about a ServiceExport whose conditions become `after`; at most one Event for each condition.
pub fn events<'a>(
    before: impl IntoIterator<Item = &'a Condition> + Clone,
    after: &[Condition],
) -> Vec<EventContent> {
    let is_valid =
        !after.iter().any(|c| c.kind == ConditionKind::Valid && c.status == ConditionStatus::False);
    let told = |condition: &Condition| {
        let was = before.clone().into_iter().find(|before| before.kind == condition.kind);
        if was.is_some_and(|was| was.status == condition.status && was.reason == condition.reason) {
            return None;
        }
        event(condition, was.map(|was| was.status), is_valid)
    };
    after.iter().filter_map(told).collect()
}

fn event(condition: &Condition, was: Option<ConditionStatus>, is_valid: bool) -> Option<EventContent> {
    use ConditionKind::{Conflict, Ready, Valid};
    use ConditionStatus::{False, True, Unknown};
    let (kind, reason) = match (condition.kind, condition.status) {
        (Valid, False) => (EventKind::Warning, valid_reason(&condition.reason)),
        (Valid, True) if was == Some(False) => (EventKind::Normal, "Valid"),
        (Ready, True) if was != Some(True) => (EventKind::Normal, "Exported"),
        // Why an invalid export failed is told already.
        (Ready, False) if is_valid && condition.reason == "Failed" => (EventKind::Warning, "Refused"),
        (Conflict, True) => (EventKind::Warning, "Conflict"),
        (Conflict, False) if was == Some(True) => (EventKind::Normal, "NoConflicts"),
        (Valid | Ready | Conflict, True | False | Unknown) => return None,
    };
    Some(EventContent { kind, reason, message: shortened(&condition.message) })
}

fn valid_reason(reason: &str) -> &'static str {
    match reason {
        "NoService" => "NoService",
        "InvalidServiceType" => "InvalidServiceType",
        _ => "InvalidService",
    }
}

/// What to tell about an object that stands in the way of one of ours.
pub fn foreign_event(foreign: &Foreign) -> EventContent {
    let label = match foreign.object {
        Object::Slice(_) => "endpointslice.kubernetes.io/managed-by: isthmus.dev",
        Object::Export(_) | Object::Import(_) | Object::Derived(_) | Object::Property(_) => {
            "app.kubernetes.io/managed-by: isthmus"
        }
    };
    let message = format!(
        "{} has not the label {label}, so it is somebody else's and left alone. Delete it, or give it the label, to have \
         it written by this controller.",
        foreign.object
    );
    EventContent { kind: EventKind::Warning, reason: "NotOurs", message: shortened(&message) }
}

/// At most [`MAX_MESSAGE`] bytes.
fn shortened(text: &str) -> String {
    if text.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let room = MAX_MESSAGE - '…'.len_utf8();
    let mut short: String =
        text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= room).map(|(_, c)| c).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
