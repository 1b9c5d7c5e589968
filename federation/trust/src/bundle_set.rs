//! The authorities of every known trust domain, kept apart.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use federation_model::bundle::{AuthorityDer, MAX_AUTHORITIES, MAX_AUTHORITY_BYTES};
use federation_model::{Bundle, TrustDomain};
use rustls_pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};

use crate::error::TrustError;
use crate::lifetime::Lifetime;
use crate::pem::{read_certificates, write_certificates};
use crate::svid::{parse_certificate, uri_names, validity};

/// Why an authority of a bundle is not used. The bundle's other authorities are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// More authorities than any bundle has; none of them is used.
    #[error("bundle has {0} authorities, more than {MAX_AUTHORITIES}")]
    TooMany(usize),
    /// The same domain twice. Bundles are never merged: the first stays.
    #[error("trust domain has two bundles")]
    Duplicate,
    /// Larger than any honest certificate.
    #[error("authority has {0} bytes, more than {MAX_AUTHORITY_BYTES}")]
    TooLong(usize),
    /// Not X.509.
    #[error("authority is not a readable certificate")]
    Malformed,
    /// `cA` is not set, or key usage does not allow signing certificates.
    #[error("authority may not sign certificates")]
    NotAuthority,
    /// It has the SPIFFE id of another domain, or one with a path.
    #[error("authority has the URI name of another trust domain")]
    ForeignDomain,
}

/// A bundle of the certificates of a PEM text, as an operator keeps them in a file. Whether they can be used is found
/// out by [`BundleSet::from_bundles`].
pub fn bundle_from_pem(domain: &TrustDomain, pem: &str) -> Result<Bundle, TrustError> {
    let authorities = read_certificates(pem)?.iter().map(|der| AuthorityDer(der.to_vec())).collect();
    Ok(Bundle { trust_domain: domain.clone(), authorities, sequence: 0, refresh_hint: 0 })
}

/// The trust domain that the authorities of a PEM text name, as a SPIFFE id without a path (X509-SVID section 3.1 lets an
/// authority have one). None if none names one, or if they name several. Says nothing of who made the file.
pub fn domain_in_pem(pem: &str) -> Result<Option<TrustDomain>, TrustError> {
    let mut found: Option<TrustDomain> = None;
    for der in read_certificates(pem)? {
        let Ok(certificate) = parse_certificate(&der) else { continue };
        for uri in uri_names(&certificate).unwrap_or_default() {
            let domain = uri.strip_prefix("spiffe://").and_then(|name| name.parse().ok());
            match (&found, domain) {
                (_, None) => {}
                (None, Some(domain)) => found = Some(domain),
                (Some(known), Some(domain)) if *known == domain => {}
                (Some(_), Some(_)) => return Ok(None),
            }
        }
    }
    Ok(found)
}

/// The certificates of a bundle as PEM text.
pub fn bundle_to_pem(bundle: &Bundle) -> String {
    let authorities: Vec<_> =
        bundle.authorities.iter().map(|a| CertificateDer::from(a.0.as_slice())).collect();
    write_certificates(&authorities)
}

/// Which authority it is: a hash of its name and key, which is what a path is found by. Another certificate of the same
/// name and key is the same authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnchorId([u8; 32]);

/// One authority, ready to verify with.
#[derive(Clone)]
pub struct Anchor {
    id: AnchorId,
    trust: TrustAnchor<'static>,
    lifetime: Lifetime,
    /// How many further authorities may stand between this one and a leaf; none: any number.
    path_len: Option<u32>,
}

impl Anchor {
    pub(crate) fn parse(domain: &TrustDomain, der: &CertificateDer<'_>) -> Result<Self, BundleError> {
        if der.len() > MAX_AUTHORITY_BYTES {
            return Err(BundleError::TooLong(der.len()));
        }
        let certificate = parse_certificate(der).map_err(|_| BundleError::Malformed)?;
        let constraints = certificate.basic_constraints().map_err(|_| BundleError::Malformed)?;
        let usage = certificate.key_usage().map_err(|_| BundleError::Malformed)?;
        let Some(constraints) = constraints.filter(|c| c.value.ca) else {
            return Err(BundleError::NotAuthority);
        };
        if usage.is_some_and(|u| !u.value.key_cert_sign()) {
            return Err(BundleError::NotAuthority);
        }
        let own = format!("spiffe://{domain}");
        let uris = uri_names(&certificate).map_err(|_| BundleError::Malformed)?;
        if uris.iter().any(|uri| !uri.eq_ignore_ascii_case(&own)) {
            return Err(BundleError::ForeignDomain);
        }
        let trust = webpki::anchor_from_trusted_cert(der).map_err(|_| BundleError::Malformed)?.to_owned();
        let name_and_key =
            Sha256::new().chain_update(&trust.subject).chain_update(&trust.subject_public_key_info);
        let id = AnchorId(name_and_key.finalize().into());
        Ok(Self {
            id,
            trust,
            lifetime: validity(&certificate),
            path_len: constraints.value.path_len_constraint,
        })
    }

    /// Which one it is.
    pub fn id(&self) -> AnchorId {
        self.id
    }

    /// From when until when it may vouch for anyone.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    pub(crate) fn trust(&self) -> &TrustAnchor<'static> {
        &self.trust
    }

    pub(crate) fn path_len(&self) -> Option<u32> {
        self.path_len
    }
}

impl fmt::Debug for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Anchor({:?})", self.lifetime)
    }
}

/// Trust domain → authorities. There is no way to ask for all of them at once.
#[derive(Debug, Clone, Default)]
pub struct BundleSet {
    domains: BTreeMap<TrustDomain, Arc<[Anchor]>>,
}

impl BundleSet {
    /// Takes what can be used of every bundle, and says what cannot. A domain whose bundle is empty, or wholly
    /// unusable, is known and has no authority: nobody of it is believed.
    pub fn from_bundles<'a>(
        bundles: impl IntoIterator<Item = &'a Bundle>,
    ) -> (Self, Vec<(TrustDomain, BundleError)>) {
        let mut set = Self::default();
        let mut problems = Vec::new();
        for bundle in bundles {
            let domain = &bundle.trust_domain;
            if set.domains.contains_key(domain) {
                problems.push((domain.clone(), BundleError::Duplicate));
                continue;
            }
            let given = bundle.authorities.len();
            let mut anchors = Vec::new();
            if given > MAX_AUTHORITIES {
                problems.push((domain.clone(), BundleError::TooMany(given)));
            } else {
                for authority in &bundle.authorities {
                    match Anchor::parse(domain, &CertificateDer::from(authority.0.as_slice())) {
                        Ok(anchor) => anchors.push(anchor),
                        Err(problem) => problems.push((domain.clone(), problem)),
                    }
                }
            }
            set.domains.insert(domain.clone(), anchors.into());
        }
        (set, problems)
    }

    /// The authorities of one domain; none if the domain is unknown.
    pub fn get(&self, domain: &TrustDomain) -> Option<&[Anchor]> {
        self.domains.get(domain).map(|anchors| &**anchors)
    }

    /// Whether `anchor`, which once vouched for somebody of `domain`, is still one of its authorities.
    pub fn has(&self, domain: &TrustDomain, anchor: AnchorId) -> bool {
        self.get(domain).is_some_and(|anchors| anchors.iter().any(|known| known.id == anchor))
    }

    /// The known domains, in order.
    pub fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.domains.keys()
    }
}

/// A [`BundleSet`] that can be replaced while connections are made. Cheap to clone; clones share the set.
#[derive(Debug, Clone, Default)]
pub struct SharedBundles(Arc<ArcSwap<BundleSet>>);

impl SharedBundles {
    /// Starts with `set`.
    pub fn new(set: BundleSet) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(set)))
    }

    /// Replaces the whole set. Handshakes that began before are judged by either.
    pub fn set(&self, set: BundleSet) {
        self.0.store(Arc::new(set));
    }

    /// The set of now.
    pub fn load(&self) -> Arc<BundleSet> {
        self.0.load_full()
    }
}

#[cfg(test)]
mod tests;
