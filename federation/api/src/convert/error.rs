//! What is wrong with a message, and where.

use std::error::Error;
use std::fmt;

use federation_model::ids::InvalidId;
use federation_model::spiffe_id::InvalidSpiffeId;

/// A field of a message that cannot become what the model means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertError {
    /// The path of the field inside the message, for instance `ports[3].name`. Empty: the message as a whole.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What may be wrong with a field. None of these repeats unchecked text of the peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It must be there and is not.
    #[error("missing")]
    Missing,
    /// Bytes that are no message of the kind that they should be.
    #[error("malformed")]
    Malformed,
    /// Not a valid id of its kind.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// Not a SPIFFE id.
    #[error(transparent)]
    SpiffeId(#[from] InvalidSpiffeId),
    /// Not an IP address of the family that the field wants.
    #[error("not an IP address")]
    IpAddress,
    /// Not `ip:port`, or port zero.
    #[error("not an ip:port")]
    SocketAddress,
    /// A number outside its range.
    #[error("{given} is not between {min} and {max}")]
    OutOfRange {
        /// The number.
        given: u64,
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A value of an enum that this version does not know.
    #[error("value {0} is not known to this version")]
    UnknownValue(i32),
    /// A list that is longer than its bound.
    #[error("has {given} elements, more than {max}")]
    TooMany {
        /// Elements found.
        given: usize,
        /// Elements allowed.
        max: usize,
    },
    /// A text, certificate or message that is longer than its bound.
    #[error("has {given} bytes, more than {max}")]
    TooLong {
        /// Bytes found.
        given: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// An element that says the same as an earlier one, where each must be unique.
    #[error("the same as an earlier one")]
    Duplicate,
    /// Two things that cannot both be true; which, in words.
    #[error("{0}")]
    Contradiction(&'static str),
}

impl ConvertError {
    /// A problem of `field`.
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The same problem, seen from the message that holds this one as `parent`.
    pub(crate) fn under(self, parent: impl fmt::Display) -> Self {
        let field =
            if self.field.is_empty() { parent.to_string() } else { format!("{parent}.{}", self.field) };
        Self { field, problem: self.problem }
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => self.problem.fmt(f),
            field => write!(f, "{field}: {}", self.problem),
        }
    }
}

impl Error for ConvertError {
    /// The problem's own cause: the problem itself is already in the text.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}
