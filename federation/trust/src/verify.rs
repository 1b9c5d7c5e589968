//! The judgement of a peer's chain: X509-SVID rules, then an RFC 5280 path to an authority of the leaf's own domain.

use federation_model::bundle::AuthorityDer;
use federation_model::{Bundle, SpiffeId, TrustDomain};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{
    EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage, RequiredEkuNotFoundContext,
    VerifiedPath,
};

use crate::bundle_set::{Anchor, AnchorId, BundleSet};
use crate::peer_error::PeerError;
use crate::provider::provider;
use crate::svid::{Svid, parse_certificate};

/// Most certificates that a peer may present, leaf included.
pub const MAX_CHAIN: usize = 8;

/// Believes or refuses a chain, leaf first. Only the bundle of the leaf's own trust domain is consulted.
///
/// # Errors
/// The first rule that the chain breaks: those of the leaf itself, then the choice of the bundle, then the path.
pub fn verify_peer(
    chain: &[CertificateDer<'_>],
    bundles: &BundleSet,
    now: UnixTime,
) -> Result<SpiffeId, PeerError> {
    judge_peer(chain, bundles, now).map(|believed| believed.id)
}

/// A peer that is believed, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// Who it is.
    pub id: SpiffeId,
    /// Which authority of its own domain vouches for it.
    pub anchor: AnchorId,
}

/// As [`verify_peer`], for who must know later whether the peer would still be believed.
///
/// # Errors
/// See [`verify_peer`].
pub fn judge_peer(
    chain: &[CertificateDer<'_>],
    bundles: &BundleSet,
    now: UnixTime,
) -> Result<Believed, PeerError> {
    let (leaf, intermediates) = split(chain)?;
    let id = Svid::parse(leaf)?.id;
    let domain = id.trust_domain();
    let anchors = bundles.get(domain).ok_or_else(|| PeerError::UnknownTrustDomain(domain.clone()))?;
    let anchor = verify_path(leaf, intermediates, anchors, domain, now)?;
    Ok(Believed { id, anchor })
}

/// Believes or refuses a chain by the one authority whose certificate has this SHA-256. It must be in the chain, and
/// it vouches for whatever trust domain the leaf names: for a first contact, when nothing but the hash is known.
pub fn verify_pinned(
    chain: &[CertificateDer<'_>],
    ca_sha256: &[u8; 32],
    now: UnixTime,
) -> Result<Believed, PeerError> {
    let (leaf, intermediates) = split(chain)?;
    let pinned = intermediates
        .iter()
        .find(|certificate| Sha256::digest(certificate).as_slice() == ca_sha256)
        .ok_or(PeerError::NotPinned)?;
    let id = Svid::parse(leaf)?.id;
    let bundle = Bundle {
        trust_domain: id.trust_domain().clone(),
        authorities: vec![AuthorityDer(pinned.to_vec())],
        sequence: 0,
        refresh_hint: 0,
    };
    let (bundles, _unusable) = BundleSet::from_bundles([&bundle]);
    judge_peer(chain, &bundles, now)
}

/// The id of a chain that was verified when its connection was made.
pub fn peer_id(chain: &[CertificateDer<'_>]) -> Result<SpiffeId, PeerError> {
    let (leaf, _) = split(chain)?;
    Svid::parse(leaf).map(|svid| svid.id)
}

type Split<'a, 'c> = (&'a CertificateDer<'c>, &'a [CertificateDer<'c>]);

fn split<'a, 'c>(chain: &'a [CertificateDer<'c>]) -> Result<Split<'a, 'c>, PeerError> {
    if chain.len() > MAX_CHAIN {
        return Err(PeerError::TooLong);
    }
    chain.split_first().ok_or(PeerError::NoCertificate)
}

fn verify_path(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    anchors: &[Anchor],
    domain: &TrustDomain,
    now: UnixTime,
) -> Result<AnchorId, PeerError> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    // RFC 5280 leaves the dates of an anchor to its user: an authority past its time vouches for nobody here.
    let holds = |a: &&Anchor| (a.lifetime().not_before..=a.lifetime().not_after).contains(&seconds);
    let anchors: Vec<&Anchor> = anchors.iter().filter(holds).collect();
    if anchors.is_empty() {
        return Err(PeerError::NoAuthority(domain.clone()));
    }
    let trust: Vec<_> = anchors.iter().map(|anchor| anchor.trust().clone()).collect();
    let acceptable = |path: &VerifiedPath<'_>| check_authorities(path, &anchors);
    let leaf = EndEntityCert::try_from(leaf).map_err(|error| translate(error, domain))?;
    let path = leaf.verify_for_usage(
        provider().signature_verification_algorithms.all,
        &trust,
        intermediates,
        now,
        BothSidesOfTls,
        None,
        Some(&acceptable),
    );
    let path = path.map_err(|error| translate(error, domain))?;
    let found = anchors.iter().find(|anchor| is_end_of(anchor, &path)).map(|anchor| anchor.id());
    found.ok_or_else(|| PeerError::UnknownIssuer(domain.clone()))
}

fn is_end_of(anchor: &Anchor, path: &VerifiedPath<'_>) -> bool {
    anchor.trust().subject_public_key_info == path.anchor().subject_public_key_info
        && anchor.trust().subject == path.anchor().subject
}

/// What the path builder leaves to its caller: the anchor's path length, and the key usage of each authority.
fn check_authorities(path: &VerifiedPath<'_>, anchors: &[&Anchor]) -> Result<(), webpki::Error> {
    let between = u32::try_from(path.intermediate_certificates().count()).unwrap_or(u32::MAX);
    let allowed = anchors
        .iter()
        .any(|anchor| is_end_of(anchor, path) && anchor.path_len().is_none_or(|len| between <= len));
    if !allowed {
        return Err(webpki::Error::PathLenConstraintViolated);
    }
    for certificate in path.intermediate_certificates() {
        let der = certificate.der();
        let parsed = parse_certificate(&der).map_err(|_| webpki::Error::BadDer)?;
        let usage = parsed.key_usage().map_err(|_| webpki::Error::BadDer)?;
        if !usage.is_some_and(|u| u.value.key_cert_sign()) {
            return Err(webpki::Error::EndEntityUsedAsCa);
        }
    }
    Ok(())
}

/// Extended key usage, where a certificate has any, must name both sides: who calls may be called.
struct BothSidesOfTls;

impl ExtendedKeyUsageValidator for BothSidesOfTls {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let mut present = Vec::new();
        for purpose in purposes {
            present.push(purpose?.to_decoded_oid());
        }
        let names = |oid: &[usize]| present.iter().any(|purpose| purpose == oid);
        if present.is_empty() || (names(KeyUsage::SERVER_AUTH_REPR) && names(KeyUsage::CLIENT_AUTH_REPR)) {
            return Ok(());
        }
        let required = KeyUsage::server_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext { required, present }))
    }
}

/// Everything that is not a plain fault of the leaf means that nobody of its domain vouches for it: a bad signature is
/// a foreign authority that borrowed a name.
fn translate(error: webpki::Error, domain: &TrustDomain) -> PeerError {
    use webpki::Error as E;
    match error {
        E::CertExpired { .. } => PeerError::Expired,
        E::CertNotValidYet { .. } => PeerError::NotYetValid,
        E::CaUsedAsEndEntity => PeerError::LeafIsAuthority,
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => PeerError::ExtendedKeyUsage,
        E::BadDer
        | E::BadDerTime
        | E::ExtensionValueInvalid
        | E::InvalidCertValidity
        | E::InvalidSerialNumber
        | E::MalformedExtensions
        | E::TrailingData(_)
        | E::UnsupportedCertVersion
        | E::UnsupportedCriticalExtension => PeerError::Malformed,
        _ => PeerError::UnknownIssuer(domain.clone()),
    }
}
