//! Certificate requests (PKCS#10). Only the public key of a request is ever used: whatever name or extension it asks
//! for is ignored, since who the requester is was established before.

use federation_model::token::KeyHash;
use rcgen::{CertificateSigningRequestParams, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateSigningRequestDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509CertificationRequest};

/// Largest request that is looked at, in bytes.
pub const MAX_CSR_BYTES: usize = 8 * 1024;

/// A request as it travels, unjudged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsrDer(pub Vec<u8>);

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum CsrError {
    /// Longer than any honest request.
    #[error("certificate request has {0} bytes, more than {MAX_CSR_BYTES}")]
    TooLong(usize),
    /// Not a PKCS#10 request, or followed by something else.
    #[error("certificate request is malformed")]
    Malformed,
    /// The requester did not prove that it holds the key, or used what is not understood.
    #[error("certificate request does not hold up")]
    Unproven(#[source] rcgen::Error),
    /// A key of another kind than ECDSA P-256 or P-384.
    #[error("certificate request has a key of an unsupported kind; ECDSA P-256 and P-384 are supported")]
    KeyKind,
}

/// A request whose signature was checked with its own key.
#[derive(Debug, Clone)]
pub struct VerifiedCsr {
    spki: SubjectPublicKeyInfo,
    hash: KeyHash,
}

/// Checks a request's size, form and self-signature.
pub fn verified_key(der: &[u8]) -> Result<VerifiedCsr, CsrError> {
    if der.len() > MAX_CSR_BYTES {
        return Err(CsrError::TooLong(der.len()));
    }
    let Ok(([], request)) = X509CertificationRequest::from_der(der) else {
        return Err(CsrError::Malformed);
    };
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
        .map_err(CsrError::Unproven)?;
    // Read again from the SubjectPublicKeyInfo itself: the kind of the key must not be inferred from the algorithm of
    // the signature.
    let raw = request.certification_request_info.subject_pki.raw;
    let spki = SubjectPublicKeyInfo::from_der(raw).map_err(CsrError::Unproven)?;
    let kind = rcgen::PublicKeyData::algorithm(&spki);
    if kind != &rcgen::PKCS_ECDSA_P256_SHA256 && kind != &rcgen::PKCS_ECDSA_P384_SHA384 {
        return Err(CsrError::KeyKind);
    }
    Ok(VerifiedCsr { spki, hash: KeyHash(Sha256::digest(raw).into()) })
}

impl VerifiedCsr {
    /// SHA-256 of the requester's public key.
    pub fn key_hash(&self) -> KeyHash {
        self.hash
    }

    pub(crate) fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.spki
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::PrivateKey;

    #[test]
    fn an_honest_request_yields_the_hash_of_its_key() {
        let key = PrivateKey::generate().unwrap();
        let verified = verified_key(&key.csr().unwrap().0).unwrap();
        assert_eq!(verified.key_hash(), key.public_hash());
    }

    #[test]
    fn a_request_signed_by_another_key_is_refused() {
        let mut der = PrivateKey::generate().unwrap().csr().unwrap().0;
        // The signature is the tail of the request.
        let last = der.len() - 1;
        der[last] ^= 1;
        assert!(matches!(verified_key(&der), Err(CsrError::Unproven(_) | CsrError::Malformed)));
    }

    #[test]
    fn size_tail_and_kind_of_key_are_checked() {
        assert!(matches!(verified_key(&vec![0x30; MAX_CSR_BYTES + 1]), Err(CsrError::TooLong(_))));
        let mut der = PrivateKey::generate().unwrap().csr().unwrap().0;
        der.push(0);
        assert!(matches!(verified_key(&der), Err(CsrError::Malformed)));
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&ed25519).unwrap();
        assert!(matches!(verified_key(request.der()), Err(CsrError::KeyKind | CsrError::Unproven(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_and_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(verified_key(&bytes).is_err());
        }

        #[test]
        fn a_flipped_byte_never_yields_another_key(at in any::<prop::sample::Index>(), flip in 1u8..) {
            // A few bytes outside what is signed (the tags of the frame) may change without changing the meaning.
            let key = PrivateKey::generate().unwrap();
            let mut der = key.csr().unwrap().0;
            let at = at.index(der.len());
            der[at] ^= flip;
            if let Ok(verified) = verified_key(&der) {
                prop_assert_eq!(verified.key_hash(), key.public_hash());
            }
        }
    }
}
