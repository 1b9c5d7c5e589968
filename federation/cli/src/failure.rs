//! How a command fails: the exit code, the cause, and what to do next.

use std::fmt;

/// The kinds of failure; each is an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The answer is no.
    Refused = 1,
    /// The command line, or a file that it names, is wrong.
    Usage = 2,
    /// No server could be reached.
    Unreachable = 3,
    /// The servers do not accept this identity.
    NotAuthorised = 4,
    /// What was asked for does not exist.
    NotFound = 5,
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    cause: String,
    next: Option<String>,
    reason: Option<String>,
}

impl Failure {
    /// A failure of `kind` for `cause`, in words without a full stop.
    pub fn new(kind: Kind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), next: None, reason: None }
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, hint: impl Into<String>) -> Self {
        self.next = Some(hint.into());
        self
    }

    /// Says it in one word, as a server does.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// A server's one word for it.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        self.kind as u8
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The cause, in words.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Something that this machine could not do.
    pub fn from_io(error: std::io::Error) -> Self {
        Self::new(Kind::Refused, error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "isthmus: {}", self.cause)?;
        match &self.next {
            Some(next) => writeln!(f, "  {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
