//! SPIFFE ids (SPIFFE-ID, sections 2 and 3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{InvalidId, Namespace};
use crate::trust_domain::TrustDomain;

/// Longest SPIFFE id that must be understood, in bytes (SPIFFE-ID section 2.3).
pub const MAX_SPIFFE_ID: usize = 2_048;

/// `spiffe://<trust domain>/<path>`, always with a path: an id without one names an authority, never a workload.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    /// Begins with `/`.
    path: Box<str>,
}

/// Why a text is not a SPIFFE id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpiffeId {
    /// Longer than any implementation must understand.
    #[error("SPIFFE id has {0} bytes, more than {MAX_SPIFFE_ID}")]
    TooLong(usize),
    /// Another scheme, or none.
    #[error("SPIFFE id does not start with spiffe://")]
    Scheme,
    /// The trust domain is wrong (this includes user info and ports, which may not be there).
    #[error("SPIFFE id has an invalid trust domain")]
    TrustDomain(#[source] InvalidId),
    /// There is no path, or an empty one.
    #[error("SPIFFE id has no path")]
    NoPath,
    /// An empty, `.` or `..` segment, or a character outside `[a-zA-Z0-9._-]`.
    #[error("SPIFFE id has an invalid path segment")]
    Segment,
}

impl SpiffeId {
    /// The id of a workload: `/ns/<namespace>/sa/<service account>`.
    pub fn workload(domain: &TrustDomain, ns: &Namespace, account: &str) -> Result<Self, InvalidSpiffeId> {
        format!("spiffe://{domain}/ns/{ns}/sa/{account}").parse()
    }

    /// The domain whose bundle alone may vouch for this id.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The path, beginning with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The namespace, if this is the id of a workload.
    pub fn namespace(&self) -> Option<&str> {
        let (namespace, account) = self.path.strip_prefix("/ns/")?.split_once("/sa/")?;
        (!namespace.contains('/') && !account.contains('/')).then_some(namespace)
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;
    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        if text.len() > MAX_SPIFFE_ID {
            return Err(InvalidSpiffeId::TooLong(text.len()));
        }
        // Scheme and trust domain compare without case (SPIFFE-ID section 2.1); the path does not.
        let scheme = "spiffe://";
        let rest = match text.get(..scheme.len()) {
            Some(found) if found.eq_ignore_ascii_case(scheme) => text.get(scheme.len()..).unwrap_or_default(),
            _ => return Err(InvalidSpiffeId::Scheme),
        };
        let (domain, path) = rest.split_once('/').ok_or(InvalidSpiffeId::NoPath)?;
        let trust_domain = domain.to_ascii_lowercase().parse().map_err(InvalidSpiffeId::TrustDomain)?;
        if path.is_empty() {
            return Err(InvalidSpiffeId::NoPath);
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let wrong = |s: &str| s.is_empty() || s == "." || s == ".." || !s.chars().all(valid);
        if path.split('/').any(wrong) {
            return Err(InvalidSpiffeId::Segment);
        }
        Ok(Self { trust_domain, path: format!("/{path}").into() })
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = InvalidSpiffeId;
    fn try_from(text: String) -> Result<Self, InvalidSpiffeId> {
        text.parse()
    }
}

impl From<SpiffeId> for String {
    fn from(id: SpiffeId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}{}", self.trust_domain, self.path)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_are_accepted() {
        let long = format!("spiffe://east.lab/{}", "a".repeat(MAX_SPIFFE_ID));
        let cases: [(&str, bool); 16] = [
            ("spiffe://east.lab/ns/demo/sa/echo", true),
            ("SPIFFE://East.Lab/ns/demo/sa/echo", true),
            ("spiffe://east.lab/A", true),
            ("spiffe://east.lab", false),
            ("spiffe://east.lab/", false),
            ("spiffe://east.lab/a/", false),
            ("spiffe://east.lab//a", false),
            ("spiffe://east.lab/a/../b", false),
            ("spiffe://east.lab/./b", false),
            ("spiffe://east.lab/a%20b", false),
            ("spiffe://east.lab/a?b", false),
            ("spiffe://user@east.lab/a", false),
            ("spiffe://east.lab:80/a", false),
            ("https://east.lab/a", false),
            ("", false),
            (&long, false),
        ];
        for (text, valid) in cases {
            assert_eq!(text.parse::<SpiffeId>().is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn the_namespace_is_read_only_from_workload_paths() {
        let namespace = |text: &str| text.parse::<SpiffeId>().unwrap().namespace().map(str::to_owned);
        assert_eq!(namespace("spiffe://e/ns/demo/sa/echo"), Some("demo".to_owned()));
        assert_eq!(namespace("spiffe://e/isthmus/gateway"), None);
        assert_eq!(namespace("spiffe://e/ns/a/b/sa/echo"), None);
    }
}
