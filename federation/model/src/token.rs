//! One-time join tokens. Only the hash of the secret is ever stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{ClusterId, UnixMillis};

/// SHA-256 of a token's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short(&self.0, f)
    }
}

/// The first four bytes: enough to tell two apart in a log, useless to an attacker.
fn short(hash: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    hash.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// SHA-256 of a public key (its SubjectPublicKeyInfo), which makes redeeming idempotent for one joiner.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyHash(pub [u8; 32]);

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        short(&self.0, f)
    }
}

/// A right to join once as one named cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// Hash of the secret.
    pub hash: TokenHash,
    /// The only cluster that may join with it.
    pub cluster: ClusterId,
    /// When it becomes worthless.
    pub expires: UnixMillis,
    /// Who used it, once used. The same key may use it again: its first answer may have been lost.
    pub used_by: Option<KeyHash>,
}
