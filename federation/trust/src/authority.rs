//! A certificate authority of one trust domain.

mod anchor;

use std::fmt;
use std::time::Duration;

use federation_model::bundle::AuthorityDer;
use federation_model::{Bundle, SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::bundle_set::{Anchor, BundleSet};
use crate::ca::CaChain;
use crate::csr::{VerifiedCsr, verified_key};
use crate::error::TrustError;
use crate::infra::gateway_id;
use crate::key::PrivateKey;
use crate::lifetime::Lifetime;
use crate::pem;
use crate::verify::verify_peer;

/// Signs the leaves of one trust domain. Its own certificate may be self-signed, or an intermediate under a root that
/// several domains share: either way the domain's bundle holds this certificate and not the root.
pub struct Authority {
    domain: TrustDomain,
    chain: CaChain,
    lifetime: Lifetime,
    key: PrivateKey,
}

impl Authority {
    /// A new self-signed authority of `domain` (ECDSA P-256). It may sign leaves, not further authorities.
    pub fn create(domain: &TrustDomain, lifetime: Lifetime) -> Result<Self, TrustError> {
        let key = PrivateKey::generate()?;
        let mut params = authority_params("Isthmus CA", &key, lifetime, 0)?;
        params.subject_alt_names = vec![uri(format!("spiffe://{domain}"))?];
        let certificate = params.self_signed(&*key.pair()).map_err(TrustError::Issue)?.der().clone();
        Self::assemble(domain, CaChain::new(certificate, Vec::new()).map_err(TrustError::Ca)?, key)
    }

    /// Reads an authority of `domain`, of whatever make. The first certificate is the authority's; what follows, if
    /// anything, leads from it to its root, and is shown along with it to those who believe the root.
    ///
    /// # Errors
    /// If the certificates are not such a chain, carry the SPIFFE id of another domain, or belong to another key.
    pub fn load(domain: &TrustDomain, cert_pem: &str, key_pem: &str) -> Result<Self, TrustError> {
        let authority = Self::assemble(domain, CaChain::from_pem(cert_pem)?, PrivateKey::from_pem(key_pem)?)?;
        authority.prove()?;
        Ok(authority)
    }

    /// Issues a leaf and judges it as a peer would: a certificate made elsewhere may be worded in a way that leaves
    /// made here do not lead back to, and that must be heard at start and not at the first handshake.
    fn prove(&self) -> Result<(), TrustError> {
        let key = PrivateKey::generate()?;
        let csr = verified_key(&key.csr()?.0).map_err(TrustError::Csr)?;
        let chain = self.issue(&csr, &gateway_id(&self.domain), self.lifetime)?;
        let bundle = Bundle {
            trust_domain: self.domain.clone(),
            authorities: vec![self.bundle_authority()],
            sequence: 0,
            refresh_hint: 0,
        };
        let moment = Duration::from_secs(self.lifetime.not_before.try_into().unwrap_or(0));
        let (bundles, _) = BundleSet::from_bundles([&bundle]);
        verify_peer(&chain, &bundles, UnixTime::since_unix_epoch(moment)).map(drop).map_err(TrustError::Svid)
    }

    pub(crate) fn assemble(
        domain: &TrustDomain,
        chain: CaChain,
        key: PrivateKey,
    ) -> Result<Self, TrustError> {
        chain.signs_for(domain).map_err(TrustError::Ca)?;
        let anchor = Anchor::parse(domain, chain.authority())
            .map_err(|source| TrustError::Authority { domain: domain.clone(), source })?;
        key.belongs_to(chain.authority())?;
        Ok(Self { domain: domain.clone(), lifetime: anchor.lifetime(), chain, key })
    }

    /// The domain that it signs for.
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// From when until when it may sign.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.chain.authority()
    }

    /// Its certificate, and what leads from it to its root.
    pub fn chain(&self) -> &CaChain {
        &self.chain
    }

    /// Its certificate as PEM.
    pub fn cert_pem(&self) -> String {
        pem::write_certificates([self.certificate()])
    }

    /// Its private key as PEM, wiped when dropped.
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pem()
    }

    /// What the domain's bundle says of it.
    pub fn bundle_authority(&self) -> AuthorityDer {
        AuthorityDer(self.certificate().to_vec())
    }

    /// SHA-256 of its certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.certificate()).into()
    }

    /// SHA-256 of its certificate, 64 lower-case hex digits.
    pub fn fingerprint_hex(&self) -> String {
        hex::encode(self.fingerprint())
    }

    /// Issues a leaf for `id` to whoever holds the request's key: leaf first, then this authority, then what leads from it
    /// towards its root, without the root.
    ///
    /// The leaf never outlives the authority. Deciding that the requester *is* `id` is the caller's duty.
    ///
    /// # Errors
    /// If `id` is of another trust domain, or the authority holds at no moment of `lifetime`.
    pub fn issue(
        &self,
        csr: &VerifiedCsr,
        id: &SpiffeId,
        lifetime: Lifetime,
    ) -> Result<Vec<CertificateDer<'static>>, TrustError> {
        if id.trust_domain() != &self.domain {
            return Err(TrustError::ForeignDomain {
                domain: self.domain.clone(),
                asked: id.trust_domain().clone(),
            });
        }
        let expired = || TrustError::AuthorityExpired { domain: self.domain.clone() };
        let (not_before, not_after) = lifetime.within(self.lifetime).ok_or_else(expired)?.dates()?;
        let mut params = CertificateParams::default();
        params.not_before = not_before;
        params.not_after = not_after;
        params.serial_number = Some(random_serial());
        // An empty subject makes the SAN critical (RFC 5280 section 4.2.1.6): the SPIFFE id is the only name.
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![uri(id.to_string())?];
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let pair = self.key.pair();
        let issuer = Issuer::from_ca_cert_der(self.certificate(), &*pair).map_err(TrustError::Issue)?;
        let leaf = params.signed_by(csr.public_key(), &issuer).map_err(TrustError::Issue)?;
        Ok(std::iter::once(leaf.der()).chain(self.chain.shown()).cloned().collect())
    }
}

/// What every authority of our making says of itself, with `below` further authorities allowed below it.
pub(crate) fn authority_params(
    name: &str,
    key: &PrivateKey,
    lifetime: Lifetime,
    below: u8,
) -> Result<CertificateParams, TrustError> {
    let (not_before, not_after) = lifetime.dates()?;
    let mut params = CertificateParams::default();
    params.not_before = not_before;
    params.not_after = not_after;
    params.serial_number = Some(random_serial());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    // Unlike a domain, this fits a common name (64 bytes), and it tells two authorities of one domain apart.
    let mut subject = DistinguishedName::new();
    let suffix: String = hex::encode(key.public_hash().0).chars().take(16).collect();
    subject.push(DnType::CommonName, format!("{name} {suffix}"));
    params.distinguished_name = subject;
    Ok(params)
}

/// 16 random bytes, positive and not zero (RFC 5280 section 4.1.2.2): a renewed leaf of the same key is another leaf.
fn random_serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    SerialNumber::from_slice(&bytes)
}

pub(crate) fn uri(text: String) -> Result<SanType, TrustError> {
    text.try_into().map(SanType::URI).map_err(TrustError::Issue)
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("domain", &self.domain)
            .field("fingerprint", &self.fingerprint_hex())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
