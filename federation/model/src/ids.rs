//! Newtypes for every name and number that must not be mixed up with another.
//!
//! Text ids are checked once, when parsed, and are cheap to clone afterwards: most are short enough to lie in the value itself, so
//! that maps compare and copy their keys without following a pointer. Their serialised form is the bare
//! string, and reading one back parses it again: a value of these types is valid wherever it came from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Longest RFC 1123 label, in bytes.
pub const MAX_LABEL: usize = 63;

/// Why a text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text has no characters.
    #[error("{kind} is empty")]
    Empty {
        /// What was being parsed.
        kind: &'static str,
    },
    /// The text is longer than its kind allows.
    #[error("{kind} has {len} bytes, more than {max}")]
    TooLong {
        /// What was being parsed.
        kind: &'static str,
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A character outside the alphabet of its kind.
    #[error("{kind} has the character {found:?} at byte {at}; {allowed} are allowed")]
    Character {
        /// What was being parsed.
        kind: &'static str,
        /// The first wrong character.
        found: char,
        /// Its byte offset.
        at: usize,
        /// The alphabet, in words.
        allowed: &'static str,
    },
    /// The text starts or ends with a character that may only stand inside.
    #[error("{kind} must start and end with a letter or digit")]
    Edge {
        /// What was being parsed.
        kind: &'static str,
    },
}

/// Checks an RFC 1123 label: 1 to 63 of `[a-z0-9-]`, starting and ending with a letter or digit.
pub fn check_label(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    check_chars(kind, text, MAX_LABEL, "lower-case letters, digits and '-'", |c| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
    })?;
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if edge(text.chars().next()) && edge(text.chars().next_back()) {
        Ok(())
    } else {
        Err(InvalidId::Edge { kind })
    }
}

pub(crate) fn check_chars(
    kind: &'static str,
    text: &str,
    max: usize,
    allowed: &'static str,
    accept: impl Fn(char) -> bool,
) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty { kind });
    }
    if text.len() > max {
        return Err(InvalidId::TooLong { kind, len: text.len(), max });
    }
    match text.char_indices().find(|(_, c)| !accept(*c)) {
        Some((at, found)) => Err(InvalidId::Character { kind, found, at, allowed }),
        None => Ok(()),
    }
}

/// Checks a free-form topology name (zone, region): 1 to 63 of `[A-Za-z0-9._-]`, as Kubernetes label values.
fn check_topology(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    check_chars(kind, text, MAX_LABEL, "letters, digits, '-', '_' and '.'", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
    })
}

/// Checks an instance id: 32 lower-case hex digits.
fn check_instance(kind: &'static str, text: &str) -> Result<(), InvalidId> {
    check_chars(kind, text, 32, "hex digits", |c| matches!(c, '0'..='9' | 'a'..='f'))?;
    if text.len() == 32 { Ok(()) } else { Err(InvalidId::Edge { kind }) }
}

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $check:path) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "SmolStr", into = "SmolStr")]
        pub struct $name(SmolStr);

        impl $name {
            /// The text, as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                $check($kind, text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl TryFrom<SmolStr> for $name {
            type Error = InvalidId;
            fn try_from(text: SmolStr) -> Result<Self, InvalidId> {
                $check($kind, &text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl From<$name> for SmolStr {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    };
}

text_id!(
    /// A cluster of the clusterset: one RFC 1123 label (it is a DNS label and a Kubernetes label value).
    ClusterId, "cluster id", check_label
);
text_id!(
    /// A network: endpoints of one network reach each other without a gateway.
    NetworkId, "network id", check_label
);
text_id!(
    /// A Kubernetes namespace.
    Namespace, "namespace", check_label
);
text_id!(
    /// The name of a service inside its namespace.
    ServiceName, "service name", check_label
);
text_id!(
    /// The name of a port of a service.
    PortName, "port name", check_label
);
text_id!(
    /// A region, as `topology.kubernetes.io/region`.
    Region, "region", check_topology
);
text_id!(
    /// A zone, as `topology.kubernetes.io/zone`.
    Zone, "zone", check_topology
);
text_id!(
    /// One agent process line: kept over restarts of the same installation, different for another installation of the
    /// same cluster. 32 lower-case hex digits.
    InstanceId, "instance id", check_instance
);

/// A service in the whole clusterset: the same namespace and name mean the same service everywhere (KEP-1645,
/// namespace sameness). Written as `namespace/name`, also when serialised, so that it can be a key in every format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceId {
    /// The namespace.
    pub namespace: Namespace,
    /// The name in it.
    pub name: ServiceName,
}

impl ServiceId {
    /// `<name>.<namespace>.svc.clusterset.local`, the name that clients use.
    pub fn host(&self) -> String {
        format!("{}.{}.svc.clusterset.local", self.name, self.namespace)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why a text is not `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceId {
    /// There is no `/`.
    #[error("a service is written as namespace/name, and {0:?} has no '/'")]
    NoSlash(String),
    /// One of the parts is wrong.
    #[error(transparent)]
    Part(#[from] InvalidId),
}

impl FromStr for ServiceId {
    type Err = InvalidServiceId;
    fn from_str(text: &str) -> Result<Self, InvalidServiceId> {
        let Some((namespace, name)) = text.split_once('/') else {
            return Err(InvalidServiceId::NoSlash(text.chars().take(MAX_LABEL).collect()));
        };
        Ok(Self { namespace: namespace.parse()?, name: name.parse()? })
    }
}

impl TryFrom<String> for ServiceId {
    type Error = InvalidServiceId;
    fn try_from(text: String) -> Result<Self, InvalidServiceId> {
        text.parse()
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.to_string()
    }
}

macro_rules! number_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// The Raft log index at which something became true. Zero is "before anything".
    Revision
);
number_id!(
    /// A life of the federation: a later one has a higher number. Revisions are counted anew where a federation is founded
    /// anew; the pair (incarnation, revision) only grows. Zero is that of federations from before there were incarnations.
    Incarnation
);
number_id!(
    /// An exporter's own counter of one export; a lower one never overwrites a higher one.
    Generation
);
number_id!(
    /// The number of a publish stream among those of its cluster. Zero: said before there were sessions.
    SessionNumber
);
number_id!(
    /// Tells apart the streams that ask for one session number: random, and the same in every repetition.
    StreamId
);
number_id!(
    /// A federation server.
    ServerId
);
number_id!(
    /// Milliseconds since the Unix epoch by the Raft leader's clock, unless a field says otherwise.
    UnixMillis
);

impl SessionNumber {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl UnixMillis {
    /// This time plus `millis`, saturating.
    #[must_use]
    pub fn plus(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this time; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests;
