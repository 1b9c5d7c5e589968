//! An authority's certificate and what leads from it to its root.

use std::time::SystemTime;

use federation_model::TrustDomain;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use super::problem::{CaFault, CaProblem};
use super::{key_kind, signature};
use crate::error::TrustError;
use crate::lifetime::unix_seconds;
use crate::pem;
use crate::svid::{parse_certificate, uri_names, validity};

/// Most certificates from an authority to its root.
pub const MAX_CA_CHAIN: usize = 5;

/// An authority first, then who signed it, perhaps as far as the root. Every certificate of it may sign, is strong
/// enough, and signed the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaChain {
    authority: CertificateDer<'static>,
    above: Vec<CertificateDer<'static>>,
    /// Whether the last one signed itself.
    rooted: bool,
}

impl CaChain {
    /// Reads the certificates of a PEM text. Says nothing of dates: see [`CaChain::at`].
    ///
    /// # Errors
    /// When there is none, or the first one that is no authority or is out of place.
    pub fn from_pem(text: &str) -> Result<Self, TrustError> {
        let mut certificates = pem::read_certificates(text)?.into_iter();
        let authority = certificates.next().ok_or(TrustError::NoCertificate)?;
        Self::new(authority, certificates.collect()).map_err(TrustError::Ca)
    }

    /// Takes certificates as they are: the authority, and what leads from it towards its root.
    ///
    /// # Errors
    /// See [`CaChain::from_pem`].
    pub fn new(
        authority: CertificateDer<'static>,
        above: Vec<CertificateDer<'static>>,
    ) -> Result<Self, CaFault> {
        let fault = |number, problem| CaFault { number, problem };
        if above.len() >= MAX_CA_CHAIN {
            return Err(fault(MAX_CA_CHAIN + 1, CaProblem::TooMany(MAX_CA_CHAIN)));
        }
        let mut parsed = Vec::new();
        for (at, der) in std::iter::once(&authority).chain(&above).enumerate() {
            let certificate = parse_certificate(der).map_err(|_| fault(at + 1, CaProblem::Malformed))?;
            if let Some(problem) = problems(&certificate).into_iter().next() {
                return Err(fault(at + 1, problem));
            }
            // X509-SVID section 4.3 asks it of whoever signs leaves; RFC 5280 lets others leave it out.
            if at == 0 && !certificate.key_usage().is_ok_and(|usage| usage.is_some()) {
                return Err(fault(1, CaProblem::NoCertSign));
            }
            parsed.push(certificate);
        }
        for (at, (below, above)) in parsed.iter().zip(parsed.iter().skip(1)).enumerate() {
            if !signature::signed_by(below, above) {
                let problem =
                    if shuffled(below, above, &parsed) { CaProblem::Order } else { CaProblem::Unrelated };
                return Err(fault(at + 2, problem));
            }
            let below = u32::try_from(at + 1).unwrap_or(u32::MAX);
            if let Some(allowed) = path_len(above).filter(|allowed| *allowed < below) {
                return Err(fault(at + 2, CaProblem::PathLength { allowed, below }));
            }
        }
        let rooted = parsed.last().is_some_and(|last| signature::signed_by(last, last));
        drop(parsed);
        Ok(Self { authority, above, rooted })
    }

    /// The same, with the one of `roots` that it leads to, where it ends without. Others are left out.
    ///
    /// # Errors
    /// When it leads to none of them.
    pub fn rooted_in(self, roots: &[CertificateDer<'static>]) -> Result<Self, CaFault> {
        let number = 2 + self.above.len();
        let unrelated = CaFault { number, problem: CaProblem::Unrelated };
        if let Some(root) = self.root() {
            return if roots.contains(root) { Ok(self) } else { Err(unrelated) };
        }
        let longer = |root: &CertificateDer<'static>| {
            let above = self.above.iter().chain([root]).cloned().collect();
            Self::new(self.authority.clone(), above).ok()
        };
        roots.iter().find_map(longer).ok_or(unrelated)
    }

    /// Who signs leaves, or further authorities.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// All of it, the authority first.
    pub fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        std::iter::once(&self.authority).chain(&self.above)
    }

    /// The root, if the chain leads there. An authority may be its own.
    pub fn root(&self) -> Option<&CertificateDer<'static>> {
        self.rooted.then(|| self.above.last().unwrap_or(&self.authority))
    }

    /// What an authority shows with its leaves: itself, and what leads towards the root, without the root, which whoever
    /// believes it has. An authority that is its own root shows itself.
    pub fn shown(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        let hidden = usize::from(self.rooted && !self.above.is_empty());
        self.certificates().take(1 + self.above.len() - hidden)
    }

    /// That it may sign for `domain`: it names that domain, or none.
    ///
    /// # Errors
    /// When it names another one.
    pub fn signs_for(&self, domain: &TrustDomain) -> Result<(), CaFault> {
        let fault = |problem| CaFault { number: 1, problem };
        let certificate = parse_certificate(&self.authority).map_err(|_| fault(CaProblem::Malformed))?;
        let own = format!("spiffe://{domain}");
        let mut names = uri_names(&certificate).unwrap_or_default().into_iter();
        match names.find(|uri| !uri.eq_ignore_ascii_case(&own)) {
            None => Ok(()),
            Some(found) => {
                Err(fault(CaProblem::OtherDomain { found: found.to_owned(), wanted: domain.clone() }))
            }
        }
    }

    /// That all of it holds at `now`.
    ///
    /// # Errors
    /// The first certificate that does not.
    pub fn at(&self, now: SystemTime) -> Result<(), CaFault> {
        let now = unix_seconds(now);
        for (at, der) in self.certificates().enumerate() {
            let fault = |problem| CaFault { number: at + 1, problem };
            let certificate = parse_certificate(der).map_err(|_| fault(CaProblem::Malformed))?;
            let lifetime = validity(&certificate);
            if now < lifetime.not_before {
                return Err(fault(CaProblem::NotYetValid));
            }
            if now > lifetime.not_after {
                return Err(fault(CaProblem::Expired));
            }
        }
        Ok(())
    }

    /// As PEM, in order.
    pub fn to_pem(&self) -> String {
        pem::write_certificates(self.certificates())
    }
}

/// Whether two certificates that do not follow each other both have a place in one chain with the others.
fn shuffled(below: &X509Certificate<'_>, above: &X509Certificate<'_>, all: &[X509Certificate<'_>]) -> bool {
    let belongs = |one: &X509Certificate<'_>| {
        let mut others = all.iter().filter(|other| other.as_raw() != one.as_raw());
        others.any(|other| signature::signed_by(one, other) || signature::signed_by(other, one))
    };
    belongs(above) && belongs(below)
}

/// How many authorities may stand below it; none: any number.
pub(crate) fn path_len(certificate: &X509Certificate<'_>) -> Option<u32> {
    certificate
        .basic_constraints()
        .ok()
        .flatten()
        .and_then(|constraints| constraints.value.path_len_constraint)
}

/// Why it cannot serve as an authority, whatever its place and the date.
pub(super) fn problems(certificate: &X509Certificate<'_>) -> Vec<CaProblem> {
    let mut found = Vec::new();
    let (Ok(constraints), Ok(usage), Ok(names)) =
        (certificate.basic_constraints(), certificate.key_usage(), uri_names(certificate))
    else {
        return vec![CaProblem::Malformed];
    };
    if !constraints.is_some_and(|c| c.value.ca) {
        found.push(CaProblem::NotAuthority);
    } else if usage.is_some_and(|u| !u.value.key_cert_sign()) {
        found.push(CaProblem::NoCertSign);
    }
    let (key, strong) = key_kind::describe(certificate.public_key());
    if !strong {
        found.push(CaProblem::Key(key));
    }
    if let Some(hash) = signature::weak(certificate) {
        found.push(CaProblem::Signature(hash.to_owned()));
    }
    let domain = |uri: &&str| {
        uri.strip_prefix("spiffe://")
            .is_some_and(|name| name.to_ascii_lowercase().parse::<TrustDomain>().is_ok())
    };
    let wrong = names.iter().find(|uri| !domain(uri)).or_else(|| names.get(1));
    if let Some(uri) = wrong.filter(|_| !found.contains(&CaProblem::NotAuthority)) {
        found.push(CaProblem::Name((*uri).to_owned()));
    }
    found
}

#[cfg(test)]
mod tests;
