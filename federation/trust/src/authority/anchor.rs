//! An authority as its own root.
//!
//! A bundle holds the authority of one domain, and not the root that it shares with others. Not every verifier takes a
//! certificate that another one signed for the end of a path: OpenSSL and Envoy's SPIFFE validator go on to a
//! self-signed one. So what a bundle holds is a certificate with the authority's name and key that the key itself has
//! signed. Leaves lead to it as they lead to the other, which they are still shown with.

use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, IsCa, KeyIdMethod,
    KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::Tag;
use x509_parser::extensions::ParsedExtension;

use super::{Authority, random_serial, uri};
use crate::bundle_set::Anchor;
use crate::ca::path_len;
use crate::error::TrustError;
use crate::lifetime::{BACK_DATING, Lifetime, unix_seconds};
use crate::svid::parse_certificate;

impl Authority {
    /// What the domain's bundle says of it: its own certificate if that is self-signed, else a new one that is, with the
    /// same name, key and end, beginning now. Each call makes another: it must be kept.
    ///
    /// # Errors
    /// When the name of the authority is one that cannot be written again as it is, or its time is over.
    pub fn anchor(&self, now: SystemTime) -> Result<CertificateDer<'static>, TrustError> {
        let own = self.certificate();
        if self.chain.root() == Some(own) {
            return Ok(own.clone());
        }
        let parsed = parse_certificate(own).map_err(TrustError::Svid)?;
        let from = unix_seconds(now).saturating_sub(i64::try_from(BACK_DATING.as_secs()).unwrap_or(0));
        let lifetime = Lifetime { not_before: from, ..self.lifetime };
        let expired = || TrustError::AuthorityExpired { domain: self.domain.clone() };
        let (not_before, not_after) = lifetime.within(self.lifetime).ok_or_else(expired)?.dates()?;
        let mut params = CertificateParams::default();
        params.not_before = not_before;
        params.not_after = not_after;
        params.serial_number = Some(random_serial());
        params.is_ca = IsCa::Ca(match path_len(&parsed).map(u8::try_from) {
            Some(Ok(below)) => BasicConstraints::Constrained(below),
            _ => BasicConstraints::Unconstrained,
        });
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(format!("spiffe://{}", self.domain))?];
        params.distinguished_name = name_of(&parsed).ok_or(TrustError::Name)?;
        if let Some(id) = key_id(&parsed) {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let made = params.self_signed(&*self.key.pair()).map_err(TrustError::Issue)?.der().clone();
        if self.is_anchored_by(&made) { Ok(made) } else { Err(TrustError::Name) }
    }

    /// Whether leaves of this authority lead to `anchor`: it has its name and key, and may sign for its domain.
    pub fn is_anchored_by(&self, anchor: &CertificateDer<'static>) -> bool {
        let (Ok(own), Ok(other)) = (parse_certificate(self.certificate()), parse_certificate(anchor)) else {
            return false;
        };
        own.subject().as_raw() == other.subject().as_raw()
            && own.public_key().raw == other.public_key().raw
            && other.subject().as_raw() == other.issuer().as_raw()
            && Anchor::parse(&self.domain, anchor).is_ok()
    }
}

/// The name, if it can be written again byte by byte: attributes one by one, each type once, of usual strings.
fn name_of(certificate: &X509Certificate<'_>) -> Option<DistinguishedName> {
    let mut name = DistinguishedName::new();
    for attribute in certificate.subject().iter_attributes() {
        let kind = DnType::CustomDnType(attribute.attr_type().iter()?.collect());
        let value = attribute.attr_value();
        let text = std::str::from_utf8(value.data).ok()?;
        let value = match value.header.tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(text.try_into().ok()?),
            Tag::Ia5String => DnValue::Ia5String(text.try_into().ok()?),
            _ => return None,
        };
        name.push(kind, value);
    }
    Some(name)
}

fn key_id(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    })
}
