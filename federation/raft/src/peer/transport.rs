//! How a call gets to another server: the payload goes there, and an answer comes back or does not.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use federation_model::ServerId;
use futures::future::BoxFuture;

use crate::types::Member;

/// What one server asks of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// To take entries into its log; without any, a heartbeat.
    Append,
    /// For its vote.
    Vote,
    /// To take a part of a snapshot.
    Install,
    /// To commit commands, as the leader.
    Propose,
    /// What it has, and whom it knows as members.
    About,
    /// To change who the members are, or who leads, as the leader.
    Manage,
    /// To stand for election, since the leader has stepped down in its favour.
    TakeOver,
}

/// Carries calls between servers. The real one is gRPC over mTLS; a simulation brings its own.
pub trait Transport: Debug + Send + Sync {
    /// Asks `target`, which is at `known`, and waits for the answer for at most `limit`. A call without an answer may have
    /// arrived, once or more often, or arrive yet.
    fn call<'a>(
        &'a self,
        target: ServerId,
        known: Option<&'a Member>,
        call: Call,
        payload: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, NoAnswer>>;
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It takes too long.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The other side is of an earlier version, and does not know this call.
    #[error("it does not know this call; upgrade it")]
    Unknown,
    /// The other side cannot be reached, or refuses.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}
