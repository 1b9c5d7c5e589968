//! How each watch is doing, for `/status`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::kind::{ByKind, Kind};
use super::message::Off;
use crate::connect::Trouble;

/// Where a watch stands: a closed set, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchState {
    /// It is not known yet whether the kind is served.
    #[default]
    Waiting,
    /// The kind is not served: its CRD is not installed.
    NotServed,
    /// Nothing needs the kind.
    NotWanted,
    /// A list is under way.
    Listing,
    /// The watch runs.
    Watching,
    /// The last attempt failed; another follows.
    Failing,
    /// A rule is missing.
    Denied,
}

impl WatchState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::NotServed,
        Self::NotWanted,
        Self::Listing,
        Self::Watching,
        Self::Failing,
        Self::Denied,
    ];

    /// The word for metric labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::NotServed => "not_served",
            Self::NotWanted => "not_wanted",
            Self::Listing => "listing",
            Self::Watching => "watching",
            Self::Failing => "failing",
            Self::Denied => "denied",
        }
    }
}

/// One watch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WatchStatus {
    /// The kind.
    pub kind: Kind,
    /// Where it stands.
    pub state: WatchState,
    /// Whether it was listed whole at least once.
    pub synced: bool,
    /// Up to which `resourceVersion` everything is known.
    pub version: Option<String>,
    /// Milliseconds since anything was heard: an event, a list or a bookmark.
    pub heard_millis_ago: Option<u64>,
    /// Objects that are held.
    pub objects: usize,
    /// What is wrong, and what to do about it.
    pub problem: Option<String>,
}

/// The watches, as they are at any moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SourceStatus {
    board: Arc<Mutex<ByKind<Progress>>>,
}

/// What the publisher knows of a watch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Progress {
    pub(super) state: WatchState,
    pub(super) synced: bool,
    pub(super) version: Option<String>,
    pub(super) heard: Option<Instant>,
    pub(super) objects: usize,
    pub(super) trouble: Option<Trouble>,
}

impl Progress {
    /// Whether there is nothing to wait for: listed, or known to be out of reach.
    pub(super) fn settled(&self) -> bool {
        self.synced || matches!(self.state, WatchState::NotServed | WatchState::Denied)
    }

    pub(super) fn off(&mut self, off: Off) {
        *self = Self {
            state: match off {
                Off::NotServed => WatchState::NotServed,
                Off::NotWanted => WatchState::NotWanted,
            },
            ..Self::default()
        };
    }
}

impl SourceStatus {
    /// Every watch.
    pub fn watches(&self) -> Vec<WatchStatus> {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let all = board.iter().map(|(kind, progress)| WatchStatus {
            kind,
            state: progress.state,
            synced: progress.synced,
            version: progress.version.clone(),
            heard_millis_ago: progress
                .heard
                .map(|heard| u64::try_from(heard.elapsed().as_millis()).unwrap_or(u64::MAX)),
            objects: progress.objects,
            problem: progress.trouble.as_ref().map(ToString::to_string),
        });
        all.collect()
    }

    pub(super) fn set(&self, board: &ByKind<Progress>) {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).clone_from(board);
    }
}
