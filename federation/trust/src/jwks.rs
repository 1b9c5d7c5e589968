//! Bundles as SPIFFE writes them: a JWK set (SPIFFE Trust Domain and Bundle, sections 4 and 6.1 of X509-SVID).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use federation_model::bundle::{AuthorityDer, MAX_AUTHORITIES};
use federation_model::{Bundle, TrustDomain};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::bundle_set::{Anchor, BundleError};
use crate::svid::parse_certificate;

/// The largest document that is looked at, in bytes: room for every authority a bundle may have, and for keys of uses
/// that are passed over.
pub const MAX_JWKS: usize = 1024 * 1024;
/// The use of the keys that are read. Others are passed over, as the standard asks.
const X509_SVID: &str = "x509-svid";

/// Why a document is no bundle. Nothing of it is used then, and whoever has an earlier one keeps that.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// Larger than any honest bundle.
    #[error("bundle has {0} bytes, more than {MAX_JWKS}")]
    TooLarge(usize),
    /// Not JSON, a member that is missing, there twice or of another type.
    #[error("bundle is not a SPIFFE JWK set")]
    Json(#[source] serde_json::Error),
    /// More authorities than any bundle has.
    #[error("bundle has more than {MAX_AUTHORITIES} authorities")]
    TooMany,
    /// `x5c` is not base64.
    #[error("authority {0} is not base64")]
    Base64(usize),
    /// It cannot be used for this trust domain.
    #[error("authority {number} of the bundle")]
    Authority {
        /// Counted from one.
        number: usize,
        /// Why.
        #[source]
        source: BundleError,
    },
}

#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
    #[serde(default, skip_serializing_if = "is_zero")]
    spiffe_sequence: u64,
    #[serde(default, skip_serializing_if = "is_zero_hint")]
    spiffe_refresh_hint: u32,
}

/// RFC 7517. `kid` is not written, as X509-SVID section 6.1 asks.
#[derive(Default, Serialize, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(default)]
    x5c: Vec<String>,
}

/// The document of a bundle. Authorities that are no certificates are left out: nobody could use them.
pub fn to_jwks(bundle: &Bundle) -> String {
    let keys = bundle.authorities.iter().filter_map(|authority| jwk(&authority.0)).collect();
    let document =
        Document { keys, spiffe_sequence: bundle.sequence, spiffe_refresh_hint: bundle.refresh_hint };
    // Strings and numbers only: there is nothing in it that JSON cannot say.
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

/// Reads the document of `domain`'s bundle. Which domain it is of, it does not say: that is known beforehand (SPIFFE
/// Federation section 7.2), and an authority that names another domain is refused.
///
/// # Errors
/// See [`JwksError`]. A document without authorities is a bundle, and revokes the domain.
pub fn from_jwks(domain: &TrustDomain, text: &str) -> Result<Bundle, JwksError> {
    if text.len() > MAX_JWKS {
        return Err(JwksError::TooLarge(text.len()));
    }
    let document: Document = serde_json::from_str(text).map_err(JwksError::Json)?;
    let mut authorities: Vec<AuthorityDer> = Vec::new();
    let ours = document.keys.iter().filter(|key| key.usage.as_deref() == Some(X509_SVID));
    // Of several certificates the first counts, and an entry without any is passed over.
    for (at, text) in ours.filter_map(|key| key.x5c.first()).enumerate() {
        let der = STANDARD.decode(text).map_err(|_| JwksError::Base64(at + 1))?;
        let checked = Anchor::parse(domain, &CertificateDer::from(der.as_slice()));
        checked.map_err(|source| JwksError::Authority { number: at + 1, source })?;
        let authority = AuthorityDer(der);
        if !authorities.contains(&authority) {
            authorities.push(authority);
        }
        if authorities.len() > MAX_AUTHORITIES {
            return Err(JwksError::TooMany);
        }
    }
    Ok(Bundle {
        trust_domain: domain.clone(),
        authorities,
        sequence: document.spiffe_sequence,
        refresh_hint: document.spiffe_refresh_hint,
    })
}

fn jwk(der: &[u8]) -> Option<Jwk> {
    let certificate = CertificateDer::from(der);
    let parsed = parse_certificate(&certificate).ok()?;
    let key = public_key(parsed.public_key())?;
    Some(Jwk { usage: Some(X509_SVID.to_owned()), x5c: vec![STANDARD.encode(der)], ..key })
}

/// The key once more, as RFC 7518 writes it: readers that take JWK at its word look here and not into the certificate.
fn public_key(key: &SubjectPublicKeyInfo<'_>) -> Option<Jwk> {
    let text = |bytes: &[u8]| Some(URL_SAFE_NO_PAD.encode(bytes));
    match key.parsed().ok()? {
        PublicKey::EC(point) => {
            // Uncompressed: 4, then x and y of one length.
            let (tag, rest) = point.data().split_first()?;
            let (x, y) = rest.split_at_checked(rest.len() / 2)?;
            let crv = match (tag, x.len(), y.len()) {
                (4, 32, 32) => "P-256",
                (4, 48, 48) => "P-384",
                (4, 66, 66) => "P-521",
                _ => return None,
            };
            let (kty, crv) = ("EC".to_owned(), Some(crv.to_owned()));
            Some(Jwk { kty, crv, x: text(x), y: text(y), ..Jwk::default() })
        }
        PublicKey::RSA(rsa) => {
            let (n, e) = (text(unsigned(rsa.modulus)), text(unsigned(rsa.exponent)));
            Some(Jwk { kty: "RSA".to_owned(), n, e, ..Jwk::default() })
        }
        _ => None,
    }
}

/// DER puts a zero before a number that would be negative; JWK does not.
fn unsigned(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero_hint(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
