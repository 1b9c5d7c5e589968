//! Kinds of keys that authorities have.

use std::fmt;
use std::str::FromStr;

use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// The fewest bits of an RSA key that is believed (NIST SP 800-131A).
const LEAST_RSA_BITS: usize = 2048;

/// A kind of key that is made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// What every peer knows, and the fastest.
    #[default]
    EcdsaP256,
    /// For those whose rules ask for it.
    EcdsaP384,
    /// For peers that know no ECDSA.
    Rsa3072,
    /// The same, larger.
    Rsa4096,
}

/// All kinds, with the words for them.
const WORDS: [(KeyKind, &str); 4] = [
    (KeyKind::EcdsaP256, "ecdsa-p256"),
    (KeyKind::EcdsaP384, "ecdsa-p384"),
    (KeyKind::Rsa3072, "rsa-3072"),
    (KeyKind::Rsa4096, "rsa-4096"),
];

/// Not a kind of key that is made here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of key: write ecdsa-p256, ecdsa-p384, rsa-3072 or rsa-4096")]
pub struct InvalidKeyKind;

impl FromStr for KeyKind {
    type Err = InvalidKeyKind;

    fn from_str(text: &str) -> Result<Self, InvalidKeyKind> {
        WORDS.iter().find(|(_, word)| *word == text).map(|(kind, _)| *kind).ok_or(InvalidKeyKind)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(kind, _)| kind == self).map_or("", |(_, word)| word);
        f.pad(word)
    }
}

/// A certificate's key in words, and whether an authority may have it.
pub(super) fn describe(key: &SubjectPublicKeyInfo<'_>) -> (String, bool) {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let bits = rsa.key_size();
            (format!("RSA {bits}"), bits >= LEAST_RSA_BITS)
        }
        Ok(PublicKey::EC(_)) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|p| p.as_oid().ok());
            match curve {
                Some(oid) if oid == OID_EC_P256 => ("ECDSA P-256".to_owned(), true),
                Some(oid) if oid == OID_NIST_EC_P384 => ("ECDSA P-384".to_owned(), true),
                Some(oid) => (format!("ECDSA on the curve {oid}"), false),
                None => ("ECDSA on a curve of its own".to_owned(), false),
            }
        }
        _ => (format!("a key of the kind {}", key.algorithm.algorithm), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for (kind, word) in WORDS {
            assert_eq!(word.parse(), Ok(kind));
            assert_eq!(kind.to_string(), word);
        }
        assert_eq!("rsa-1024".parse::<KeyKind>(), Err(InvalidKeyKind));
    }
}
