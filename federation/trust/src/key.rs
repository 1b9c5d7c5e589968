//! Private keys: made here, never sent anywhere.

use std::fmt;
use std::sync::Arc;

use federation_model::token::KeyHash;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::csr::CsrDer;
use crate::error::TrustError;

/// A private key. Cheap to clone; clones share the key. `Debug` shows only the hash of the public half.
#[derive(Clone)]
pub struct PrivateKey(Arc<KeyPair>);

impl PrivateKey {
    /// A fresh ECDSA P-256 key.
    pub fn generate() -> Result<Self, TrustError> {
        KeyPair::generate().map(|pair| Self(Arc::new(pair))).map_err(TrustError::Key)
    }

    /// Reads the first key of a PEM text: PKCS#8, SEC1 or PKCS#1.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        KeyPair::from_pem(pem).map(|pair| Self(Arc::new(pair))).map_err(TrustError::Key)
    }

    /// The key as PEM. The text is wiped when dropped; write it to files of mode 0600 only.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.serialize_pem())
    }

    /// A certificate request for this key. It asks for no name: the issuer decides who the requester is.
    pub fn csr(&self) -> Result<CsrDer, TrustError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&*self.0).map_err(TrustError::Issue)?;
        Ok(CsrDer(request.der().to_vec()))
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    pub fn public_hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.subject_public_key_info()).into())
    }

    pub(crate) fn pair(&self) -> Arc<KeyPair> {
        Arc::clone(&self.0)
    }

    pub(crate) fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.serialize_der()))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyHash(hash) = self.public_hash();
        write!(f, "PrivateKey(public sha256 {})", hex::encode(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_round_trips_and_debug_shows_no_secret() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.to_pem();
        let again = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!(key.public_hash(), again.public_hash());
        let shown = format!("{key:?}");
        let body = pem.lines().nth(1).unwrap();
        assert!(!shown.contains(body), "{shown}");
        assert!(shown.len() < 100, "{shown}");
    }

    #[test]
    fn a_malformed_key_is_an_error_that_does_not_quote_it() {
        let text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n";
        for text in [text, "", "secretsecret"] {
            let error = PrivateKey::from_pem(text).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("secretsecret"));
        }
    }
}
