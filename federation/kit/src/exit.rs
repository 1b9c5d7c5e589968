//! Exit codes of the daemons (those of BSD `sysexits.h`), and errors that carry one.
//!
//! A supervisor can tell "fix the file" (64) from "try again" (69, 74) from "report a bug" (70).

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: it was asked to stop, and did.
    Success,
    /// 64 (`EX_USAGE`): the command line or the configuration file is wrong; a restart does not help.
    Usage,
    /// 69 (`EX_UNAVAILABLE`): something it needs is not there, such as a port that another process holds.
    Unavailable,
    /// 70 (`EX_SOFTWARE`): an invariant of the program was broken.
    Internal,
    /// 74 (`EX_IOERR`): reading or writing its own files failed.
    Io,
}

impl Exit {
    /// The number the process exits with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Io => 74,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error together with the exit code it deserves. It is made where the cause is known and handled once, by
/// [`crate::daemon::Daemon::run`].
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// Ends the process with `exit` because of `error` (an error value, or a sentence).
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }
}

/// The whole chain of causes, outermost first, joined by `: `.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", chain(&*self.error))
    }
}

impl From<crate::config::ConfigError> for Failure {
    fn from(error: crate::config::ConfigError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<crate::bind::BindError> for Failure {
    fn from(error: crate::bind::BindError) -> Self {
        Self::new(error.exit(), error)
    }
}

impl From<crate::files::FileError> for Failure {
    fn from(error: crate::files::FileError) -> Self {
        Self::new(Exit::Io, error)
    }
}

/// Gives the error of a `Result` its exit code.
pub trait OrExit<T> {
    /// Turns the error into a [`Failure`] with this exit code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

/// Formats an error with all of its causes on one line. Used where an error is handled, so that it is logged once
/// and whole.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        write!(f, "{error}")?;
        let mut cause = error.source();
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the door stays shut")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_failure_prints_every_cause_once() {
        let failure = Err::<(), _>(Outer(std::io::Error::other("no key"))).or_exit(Exit::Io).unwrap_err();
        assert_eq!(failure.to_string(), "the door stays shut: no key");
        assert_eq!(failure.exit().code(), 74);
    }
}
