//! Why a list or a watch ended.

use std::time::Duration;

use crate::connect::Trouble;

/// An end that is not simply the end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// 410: the version, or the page, is not there any more.
    Gone,
    /// The server cannot do streaming lists.
    NoStreaming,
    /// Anything else, and when the server wishes to be asked again.
    Trouble {
        /// What.
        trouble: Trouble,
        /// Its wish.
        retry_after: Option<Duration>,
    },
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble { trouble, retry_after: None }
    }
}

impl Failure {
    /// What an answer's status, or a line of type ERROR, means.
    pub(super) fn of_status(code: u16, message: &str, retry_after: Option<Duration>) -> Self {
        match code {
            410 => Self::Gone,
            _ => Self::Trouble { trouble: Trouble::of_status(code, message), retry_after },
        }
    }
}
