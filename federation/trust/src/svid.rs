//! What an X509-SVID says, and the rules that it meets by itself, before any path is built (X509-SVID sections 2 to 5).

use federation_model::SpiffeId;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::lifetime::Lifetime;
use crate::peer_error::PeerError;

/// Largest certificate that is looked at, in bytes of DER.
pub const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// The facts of a leaf that keeps the rules. Says nothing of who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Svid {
    /// Whom it names.
    pub id: SpiffeId,
    /// When.
    pub lifetime: Lifetime,
}

impl Svid {
    /// Reads a leaf and holds it to the rules: exactly one URI SAN, which is a SPIFFE id with a path; no CA;
    /// `digitalSignature` and neither `keyCertSign` nor `cRLSign`; extended key usage, if any, for both sides of TLS.
    pub fn parse(leaf: &CertificateDer<'_>) -> Result<Self, PeerError> {
        let certificate = parse_certificate(leaf)?;
        let constraints = certificate.basic_constraints().map_err(|_| PeerError::Malformed)?;
        if constraints.is_some_and(|c| c.value.ca) {
            return Err(PeerError::LeafIsAuthority);
        }
        let usage = certificate.key_usage().map_err(|_| PeerError::Malformed)?.ok_or(PeerError::KeyUsage)?;
        if usage.value.key_cert_sign() || usage.value.crl_sign() {
            return Err(PeerError::LeafMaySign);
        }
        if !usage.value.digital_signature() {
            return Err(PeerError::KeyUsage);
        }
        let extended = certificate.extended_key_usage().map_err(|_| PeerError::Malformed)?;
        if extended.is_some_and(|e| !(e.value.server_auth && e.value.client_auth)) {
            return Err(PeerError::ExtendedKeyUsage);
        }
        let mut uris = uri_names(&certificate)?.into_iter();
        let id = match (uris.next(), uris.next()) {
            (Some(uri), None) => uri.parse().map_err(PeerError::Id)?,
            (None, _) => return Err(PeerError::NoId),
            (Some(_), Some(_)) => return Err(PeerError::SeveralIds),
        };
        Ok(Self { id, lifetime: validity(&certificate) })
    }
}

/// Parses DER of bounded size with nothing behind it.
pub(crate) fn parse_certificate<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, PeerError> {
    if der.len() > MAX_CERTIFICATE_BYTES {
        return Err(PeerError::TooLong);
    }
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(PeerError::Malformed),
    }
}

/// The URI names of a certificate; DNS names and others are allowed and ignored.
pub(crate) fn uri_names<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, PeerError> {
    let names = certificate.subject_alternative_name().map_err(|_| PeerError::Malformed)?;
    let names = names.map(|n| n.value.general_names.as_slice()).unwrap_or_default();
    let uri = |name: &'a GeneralName<'_>| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    };
    Ok(names.iter().filter_map(uri).collect())
}

/// From when until when a certificate holds.
///
/// # Errors
/// When it cannot be read.
pub fn lifetime_of(der: &CertificateDer<'_>) -> Result<Lifetime, PeerError> {
    parse_certificate(der).map(|certificate| validity(&certificate))
}

pub(crate) fn validity(certificate: &X509Certificate<'_>) -> Lifetime {
    let validity = certificate.validity();
    Lifetime { not_before: validity.not_before.timestamp(), not_after: validity.not_after.timestamp() }
}
