//! What can go wrong between here and a server.

use std::error::Error;
use std::time::Duration;

use federation_api::REASON;
use federation_api::convert::ConvertError;
use federation_trust::TrustError;
use tonic::{Code, Status};

use crate::servers::InvalidServers;

/// A call or a session failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No server of the list could be reached; the last reason is given.
    #[error("no server answered (tried {})", tried.join(", "))]
    Unreachable {
        /// The addresses tried.
        tried: Vec<String>,
        /// What the last of them said or did.
        #[source]
        last: Box<Self>,
    },
    /// This server could not be reached, or cannot serve now.
    #[error("{server} is unavailable: {}", status.message())]
    Unavailable {
        /// Its address.
        server: String,
        /// What the transport or the server said.
        status: Box<Status>,
    },
    /// This server gave an answer, and it is no. Another server would say the same.
    #[error("{server} refused: {}", status.message())]
    Refused {
        /// Its address.
        server: String,
        /// The refusal.
        status: Box<Status>,
    },
    /// No answer in time.
    #[error("{server} did not answer within {limit:?}")]
    Silent {
        /// Its address.
        server: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The server ended a stream that should last.
    #[error("{server} ended the stream")]
    Ended {
        /// Its address.
        server: String,
    },
    /// The server speaks, but what it knows has stood still: it has lost its leader.
    #[error("{server} has heard nothing from a leader for {limit:?}")]
    Stalled {
        /// Its address.
        server: String,
        /// How long was waited.
        limit: Duration,
    },
    /// The cluster's registration was refused: nothing else would be accepted.
    #[error("{server} refused the registration: {message}")]
    RegistrationRefused {
        /// Its address.
        server: String,
        /// `Rejection::reason`.
        reason: String,
        /// For people.
        message: String,
    },
    /// An answer that cannot be understood.
    #[error("{server} answered with a message that is wrong at {error}")]
    Answer {
        /// Its address.
        server: String,
        /// Where and what.
        error: ConvertError,
    },
    /// An answer that breaks the protocol.
    #[error("{server} broke the protocol: {problem}")]
    Protocol {
        /// Its address.
        server: String,
        /// How.
        problem: &'static str,
    },
    /// A certificate that was issued for somebody else, or that nobody vouches for.
    #[error("{server} issued an unusable certificate: {problem}")]
    Issued {
        /// Its address.
        server: String,
        /// What is wrong.
        problem: String,
    },
    /// A list of servers cannot be used.
    #[error(transparent)]
    Servers(#[from] InvalidServers),
    /// Our own keys or certificates cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl ClientError {
    /// Sorts a status: whether another server may help, or the answer is final. What one server does not implement
    /// another may, while they are upgraded one by one.
    pub(crate) fn from_status(server: &str, status: Status) -> Self {
        let server = server.to_owned();
        let status = Box::new(status);
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::OutOfRange => Self::Refused { server, status },
            _ => Self::Unavailable { server, status },
        }
    }

    /// Whether the answer is no, whichever server is asked.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Trust(_) | Self::Servers(_))
    }

    /// The gRPC code of a refusal.
    pub fn refusal(&self) -> Option<Code> {
        match self {
            Self::Refused { status, .. } => Some(status.code()),
            _ => None,
        }
    }

    /// Whether another stream or agent speaks for our cluster at present: to come back at once would only disturb it.
    pub(crate) fn is_displaced(&self) -> bool {
        matches!(self.reason(), Some("fenced" | "held_by_another"))
    }

    /// The server's one word for a refusal.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { status, .. } => status.metadata().get(REASON)?.to_str().ok(),
            _ => None,
        }
    }

    /// This error and its causes on one line, for a status page or a log.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = match self {
            Self::Unreachable { last, .. } => return format!("{text}: {}", last.chain()),
            // A status from the transport says only "transport error"; what happened is in its sources.
            Self::Unavailable { status, .. } | Self::Refused { status, .. } => status.source(),
            other => other.source(),
        };
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
