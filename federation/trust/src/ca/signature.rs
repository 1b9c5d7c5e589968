//! Who signed a certificate.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA};

use crate::provider::provider;

/// Whether the key of `parent` made the signature of `child`, and the names fit.
pub(super) fn signed_by(child: &X509Certificate<'_>, parent: &X509Certificate<'_>) -> bool {
    if child.issuer().as_raw() != parent.subject().as_raw() {
        return false;
    }
    let der = CertificateDer::from(parent.as_raw());
    let Ok(parent) = EndEntityCert::try_from(&der) else { return false };
    let (message, signature) = (child.tbs_certificate.as_ref(), child.signature_value.data.as_ref());
    // One identifier may stand for several algorithms, by the kind of the key.
    let algorithms = provider().signature_verification_algorithms.all;
    algorithms.iter().any(|algorithm| parent.verify_signature(*algorithm, message, signature).is_ok())
}

/// ecdsa-with-SHA1 (RFC 5758 section 3.2).
const ECDSA_WITH_SHA1: &str = "1.2.840.10045.4.1";

/// The name of the algorithm, if its hash is broken.
pub(super) fn weak(certificate: &X509Certificate<'_>) -> Option<&'static str> {
    let oid = &certificate.signature_algorithm.algorithm;
    if *oid == OID_PKCS1_MD5WITHRSAENC {
        return Some("MD5");
    }
    let sha1 =
        *oid == OID_PKCS1_SHA1WITHRSA || *oid == OID_SHA1_WITH_RSA || oid.to_id_string() == ECDSA_WITH_SHA1;
    sha1.then_some("SHA-1")
}
