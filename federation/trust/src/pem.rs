//! Certificates as PEM text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::error::TrustError;

/// Writes certificates one after the other, leaf first as given.
pub fn write_certificates<'a, 'b: 'a>(chain: impl IntoIterator<Item = &'a CertificateDer<'b>>) -> String {
    let mut text = String::new();
    for certificate in chain {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut line = 0;
        for c in STANDARD.encode(certificate).chars() {
            if line == 64 {
                text.push('\n');
                line = 0;
            }
            text.push(c);
            line += 1;
        }
        text.push_str("\n-----END CERTIFICATE-----\n");
    }
    text
}

/// Reads every certificate of a text. Other sections are passed over.
///
/// # Errors
/// When the text cannot be read, or holds no certificate.
pub fn read_certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let chain = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(TrustError::Pem)?;
    if chain.is_empty() { Err(TrustError::NoCertificate) } else { Ok(chain) }
}
