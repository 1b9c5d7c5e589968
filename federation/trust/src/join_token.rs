//! The text of a join token: `isthmus1.<cluster>.<secret, base64url>.<SHA-256 of the clusterset's CA, hex>`.
//!
//! It carries everything that a joiner must know beforehand except where the servers are. The servers store only the
//! hash of the secret.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use federation_model::ids::InvalidId;
use federation_model::{ClusterId, TokenHash};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Version and magic of the text.
const PREFIX: &str = "isthmus1";
/// Longer than any token: checked before anything else is.
const MAX_TOKEN: usize = 256;

/// A parsed token. `Debug` hides the secret; `Display` is the whole text, for the one time that it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokenText {
    cluster: ClusterId,
    secret: Zeroizing<[u8; 32]>,
    ca_sha256: [u8; 32],
}

/// Why a text is not a join token. No variant quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJoinToken {
    /// Another prefix, or too long: not one of ours, or of a later version.
    #[error("join token does not start with {PREFIX}.")]
    Prefix,
    /// Not four parts between dots.
    #[error("join token does not have four parts")]
    Parts,
    /// The cluster part is no cluster id.
    #[error("join token has an invalid cluster")]
    Cluster(#[source] InvalidId),
    /// The secret is not 32 bytes of base64url without padding.
    #[error("join token has an invalid secret")]
    Secret,
    /// The last part is not 64 lower-case hex digits.
    #[error("join token has an invalid CA hash")]
    CaHash,
}

impl JoinTokenText {
    /// Puts a token together. The secret must come from a cryptographic generator.
    pub fn new(cluster: ClusterId, secret: [u8; 32], ca_sha256: [u8; 32]) -> Self {
        Self { cluster, secret: Zeroizing::new(secret), ca_sha256 }
    }

    /// A token with a fresh secret.
    pub fn generate(cluster: ClusterId, ca_sha256: [u8; 32]) -> Self {
        Self::new(cluster, rand::random(), ca_sha256)
    }

    /// The only cluster that may join with it.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// SHA-256 of the certificate of the clusterset's authority.
    pub fn ca_sha256(&self) -> &[u8; 32] {
        &self.ca_sha256
    }

    /// The secret as it is sent to a server.
    pub fn secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.secret))
    }

    /// What the servers store of it.
    pub fn secret_hash(&self) -> TokenHash {
        hash(&self.secret)
    }
}

/// The hash to look a received secret up by.
pub fn secret_hash_of(secret_text: &str) -> Result<TokenHash, InvalidJoinToken> {
    decode_secret(secret_text).map(|secret| hash(&secret))
}

fn hash(secret: &[u8; 32]) -> TokenHash {
    TokenHash(Sha256::digest(secret).into())
}

fn decode_secret(text: &str) -> Result<Zeroizing<[u8; 32]>, InvalidJoinToken> {
    if text.len() > MAX_TOKEN {
        return Err(InvalidJoinToken::Secret);
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidJoinToken::Secret)?);
    let secret = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| InvalidJoinToken::Secret)?;
    Ok(Zeroizing::new(secret))
}

impl FromStr for JoinTokenText {
    type Err = InvalidJoinToken;

    /// Surrounding white space is dropped: tokens are kept in files.
    fn from_str(text: &str) -> Result<Self, InvalidJoinToken> {
        let text = text.trim();
        if text.len() > MAX_TOKEN {
            return Err(InvalidJoinToken::Prefix);
        }
        let mut parts = text.split('.');
        if parts.next() != Some(PREFIX) {
            return Err(InvalidJoinToken::Prefix);
        }
        let (Some(cluster), Some(secret), Some(ca), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidJoinToken::Parts);
        };
        let mut ca_sha256 = [0; 32];
        let lower = ca.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || hex::decode_to_slice(ca, &mut ca_sha256).is_err() {
            return Err(InvalidJoinToken::CaHash);
        }
        Ok(Self {
            cluster: cluster.parse().map_err(InvalidJoinToken::Cluster)?,
            secret: decode_secret(secret)?,
            ca_sha256,
        })
    }
}

impl fmt::Display for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret_text();
        write!(f, "{PREFIX}.{}.{}.{}", self.cluster, *secret, hex::encode(self.ca_sha256))
    }
}

impl fmt::Debug for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinTokenText")
            .field("cluster", &self.cluster)
            .field("secret", &"[hidden]")
            .field("ca_sha256", &hex::encode(self.ca_sha256))
            .finish()
    }
}

#[cfg(test)]
mod tests;
