//! The CAs of one trust domain.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::trust_domain::TrustDomain;

/// Most authorities in one bundle.
pub const MAX_AUTHORITIES: usize = 16;
/// Largest authority certificate, in bytes of DER.
pub const MAX_AUTHORITY_BYTES: usize = 8 * 1024;

/// The authorities of a trust domain, in SPIFFE's sense. A bundle without authorities revokes the whole domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// The domain that these CAs, and no others, may sign for.
    pub trust_domain: TrustDomain,
    /// CA certificates.
    pub authorities: Vec<AuthorityDer>,
    /// `spiffe_sequence`: grows with every change.
    pub sequence: u64,
    /// `spiffe_refresh_hint`, in seconds.
    pub refresh_hint: u32,
}

/// A CA certificate in DER. Not parsed here: `federation-trust` judges it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorityDer(pub Vec<u8>);

impl fmt::Debug for AuthorityDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityDer({} bytes)", self.0.len())
    }
}
