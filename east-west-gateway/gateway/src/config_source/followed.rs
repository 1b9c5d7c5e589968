//! Whether the agent is being followed, and why not.

use std::error::Error;

use federation_kit::exit::chain;

use super::link::LinkError;

/// Where the gateway stands with its agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Followed {
    /// Whether it is being followed.
    pub connected: bool,
    /// Why it is not, since it last was; none before the first attempt has ended.
    pub problem: Option<String>,
}

/// Why a session with the agent ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// There was none.
    #[error(transparent)]
    Link(#[from] LinkError),
    #[error("agent cannot be followed {}", said(.0))]
    Watch(tonic::Status),
    #[error("agent ended the stream")]
    Ended,
    #[error("agent did not take the report {}", said(.0))]
    Report(tonic::Status),
    #[error("the agent's CA was replaced")]
    CaReplaced,
}

/// A status prints all of its causes by itself, twice; its code, its message and its first cause say what there is to know.
fn said(status: &tonic::Status) -> String {
    let mut first: Option<&dyn Error> = status.source();
    while let Some(cause) = first.and_then(Error::source) {
        first = Some(cause);
    }
    let message = status.message();
    match first.map(ToString::to_string).filter(|cause| !message.contains(cause.as_str())) {
        Some(cause) => format!("({}): {message}: {cause}", status.code()),
        None => format!("({}): {message}", status.code()),
    }
}

impl SessionError {
    /// On one line, for the log and for `/status`.
    pub(super) fn text(&self) -> String {
        chain(self).to_string()
    }
}
