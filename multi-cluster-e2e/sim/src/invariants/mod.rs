//! What must hold, one file per property. Each is asked at the moment at which something happens that could break it.

pub mod acknowledged;
pub mod fencing;
pub mod laws;
pub mod one_log;
pub mod revisions;
pub mod scope;
pub mod views;
pub mod vips;

use std::fmt;

use serde::{Deserialize, Serialize};

/// The properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Property {
    /// Every server applies the same entry at the same revision, and comes to the same state by it.
    OneLog,
    /// What was acknowledged is in the log, and stays there.
    Acknowledged,
    /// Revisions only grow: those that a life of a server applies, and those of an agent's views.
    Revisions,
    /// The laws of the catalogue hold in every state (`State::violations`).
    Laws,
    /// A VIP belongs to one service, for ever.
    Vips,
    /// Only the agent that holds a cluster's lease writes for it.
    Fencing,
    /// No cluster sees an export outside whose scope it is.
    Scope,
    /// A view says what the log says at its revision, no more and no less.
    Views,
    /// A server that crashed starts again over what its disk has.
    Starts,
    /// When nothing is wrong any more, everybody soon knows the same.
    Converges,
    /// Nothing panics.
    Sound,
}

/// A property that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// What was seen.
    pub what: String,
}

impl Violation {
    /// `property` does not hold, since `what`.
    #[must_use]
    pub fn of(property: Property, what: impl Into<String>) -> Self {
        Self { property, what: what.into() }
    }
}

impl Property {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OneLog => "one-log",
            Self::Acknowledged => "acknowledged",
            Self::Revisions => "revisions",
            Self::Laws => "laws",
            Self::Vips => "vips",
            Self::Fencing => "fencing",
            Self::Scope => "scope",
            Self::Views => "views",
            Self::Starts => "starts",
            Self::Converges => "converges",
            Self::Sound => "sound",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property.word(), self.what)
    }
}
