//! The trust domain: the part of a SPIFFE id that chooses the bundle (SPIFFE-ID section 2.1).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, InvalidId, check_chars};

/// Longest trust domain name, in bytes (SPIFFE-ID section 2.1).
pub const MAX_TRUST_DOMAIN: usize = 255;

/// A SPIFFE trust domain name: 1 to 255 of `[a-z0-9._-]`, lower case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(Arc<str>);

impl TrustDomain {
    /// The default domain of a cluster: `<cluster>.<clusterset>`. Infallible only while both together fit; the caller
    /// hears otherwise.
    pub fn of_cluster(cluster: &ClusterId, clusterset: &Self) -> Result<Self, InvalidId> {
        format!("{cluster}.{clusterset}").parse()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = "lower-case letters, digits, '-', '_' and '.'";
        check_chars("trust domain", text, MAX_TRUST_DOMAIN, allowed, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
        })?;
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for TrustDomain {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<TrustDomain> for String {
    fn from(domain: TrustDomain) -> Self {
        domain.0.as_ref().to_owned()
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
