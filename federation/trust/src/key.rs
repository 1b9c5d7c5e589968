//! Private keys: made here, never sent anywhere.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, RsaKeyPair,
};
use federation_model::token::KeyHash;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256,
    PublicKeyData, RsaKeySize,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::ca::KeyKind;
use crate::csr::CsrDer;
use crate::error::TrustError;

/// A private key. Cheap to clone; clones share the key, and the last one wipes it. `Debug` shows only the hash of the
/// public half.
#[derive(Clone)]
pub struct PrivateKey(Arc<Wiped>);

/// The encoded key is wiped when it is dropped; what the library made of it to sign with is wiped by the library.
struct Wiped(KeyPair);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A key that lends itself for signing, as rcgen asks for.
pub(crate) struct Pair(Arc<Wiped>);

impl std::ops::Deref for Pair {
    type Target = KeyPair;

    fn deref(&self) -> &KeyPair {
        &self.0.0
    }
}

impl PrivateKey {
    /// A fresh ECDSA P-256 key.
    pub fn generate() -> Result<Self, TrustError> {
        Self::generate_kind(KeyKind::EcdsaP256)
    }

    /// A fresh key. RSA takes seconds.
    pub fn generate_kind(kind: KeyKind) -> Result<Self, TrustError> {
        let pair = match kind {
            KeyKind::EcdsaP256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
            KeyKind::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072),
            KeyKind::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
        };
        pair.map(Self::of).map_err(TrustError::Key)
    }

    /// Reads the first key of a PEM text: PKCS#8, SEC1 or PKCS#1. Other sections, like OpenSSL's curve parameters, are
    /// passed over.
    ///
    /// # Errors
    /// When there is none, or it is encrypted.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY") || pem.contains("Proc-Type: 4,ENCRYPTED") {
            return Err(TrustError::Encrypted);
        }
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| TrustError::NoKey)?;
        KeyPair::try_from(&pkcs8(&der)?).map(Self::of).map_err(TrustError::Key)
    }

    /// That it is the key of a certificate.
    ///
    /// # Errors
    /// When it is not.
    pub fn belongs_to(&self, certificate: &CertificateDer<'static>) -> Result<(), TrustError> {
        crate::identity::certified_key(vec![certificate.clone()], self).map(drop)
    }

    fn of(pair: KeyPair) -> Self {
        Self(Arc::new(Wiped(pair)))
    }

    /// The key as PEM. The text is wiped when dropped; write it to files of mode 0600 only.
    pub fn to_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.0.serialize_pem())
    }

    /// A certificate request for this key. It asks for no name: the issuer decides who the requester is.
    pub fn csr(&self) -> Result<CsrDer, TrustError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&self.0.0).map_err(TrustError::Issue)?;
        Ok(CsrDer(request.der().to_vec()))
    }

    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    pub fn public_hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.0.subject_public_key_info()).into())
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair(Arc::clone(&self.0))
    }

    pub(crate) fn to_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.0.serialize_der()))
    }
}

/// The same key as PKCS#8, the one form in which it is kept and handed on here.
fn pkcs8(key: &PrivateKeyDer<'_>) -> Result<PrivatePkcs8KeyDer<'static>, TrustError> {
    let written: Vec<u8> = match key {
        PrivateKeyDer::Pkcs8(key) => key.secret_pkcs8_der().to_vec(),
        PrivateKeyDer::Sec1(key) => {
            let curves = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING];
            let pair = curves
                .into_iter()
                .find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, key.secret_sec1_der()).ok());
            let written = pair.and_then(|pair| pair.to_pkcs8v1().ok()).ok_or(TrustError::NoKey)?;
            written.as_ref().to_vec()
        }
        PrivateKeyDer::Pkcs1(key) => {
            let pair = RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(|_| TrustError::NoKey)?;
            let written: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| TrustError::NoKey)?;
            written.as_ref().to_vec()
        }
        _ => return Err(TrustError::NoKey),
    };
    Ok(written.into())
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
