//! A root that several trust domains share. It signs authorities and nothing else.

use std::fmt;

use federation_model::TrustDomain;
use rcgen::Issuer;
use zeroize::Zeroizing;

use super::chain::{CaChain, path_len};
use super::key_kind::KeyKind;
use super::problem::{CaFault, CaProblem};
use crate::authority::{Authority, authority_params};
use crate::error::TrustError;
use crate::key::PrivateKey;
use crate::lifetime::Lifetime;
use crate::svid::{parse_certificate, validity};

/// An authority of authorities, and its key. Kept where no cluster and no server is.
pub struct Root {
    chain: CaChain,
    lifetime: Lifetime,
    key: PrivateKey,
}

impl Root {
    /// A new self-signed root. What it signs may sign leaves, and no further authorities.
    pub fn create(kind: KeyKind, lifetime: Lifetime) -> Result<Self, TrustError> {
        let key = PrivateKey::generate_kind(kind)?;
        let params = authority_params("Isthmus Root", &key, lifetime, 1)?;
        let certificate = params.self_signed(&*key.pair()).map_err(TrustError::Issue)?.der().clone();
        let chain = CaChain::new(certificate, Vec::new()).map_err(TrustError::Ca)?;
        Ok(Self { chain, lifetime, key })
    }

    /// Reads an authority that may sign authorities, of whatever make, with what leads from it to its root.
    ///
    /// # Errors
    /// If it may not, or the key is another one's.
    pub fn load(cert_pem: &str, key_pem: &str) -> Result<Self, TrustError> {
        let (chain, key) = (CaChain::from_pem(cert_pem)?, PrivateKey::from_pem(key_pem)?);
        let parsed = parse_certificate(chain.authority()).map_err(TrustError::Svid)?;
        if let Some(allowed @ 0) = path_len(&parsed) {
            let problem = CaProblem::PathLength { allowed, below: 1 };
            return Err(TrustError::Ca(CaFault { number: 1, problem }));
        }
        key.belongs_to(chain.authority())?;
        let lifetime = validity(&parsed);
        drop(parsed);
        Ok(Self { chain, lifetime, key })
    }

    /// A new authority of `domain` with a key of its own. It never outlives this root.
    ///
    /// # Errors
    /// If the root holds at no moment of `lifetime`.
    pub fn issue(
        &self,
        domain: &TrustDomain,
        kind: KeyKind,
        lifetime: Lifetime,
    ) -> Result<Authority, TrustError> {
        let lifetime = lifetime.within(self.lifetime).ok_or(TrustError::RootExpired)?;
        let key = PrivateKey::generate_kind(kind)?;
        let mut params = authority_params("Isthmus CA", &key, lifetime, 0)?;
        params.subject_alt_names = vec![crate::authority::uri(format!("spiffe://{domain}"))?];
        params.use_authority_key_identifier_extension = true;
        let pair = self.key.pair();
        let issuer = Issuer::from_ca_cert_der(self.chain.authority(), &*pair).map_err(TrustError::Issue)?;
        let certificate = params.signed_by(&*key.pair(), &issuer).map_err(TrustError::Issue)?.der().clone();
        let chain = CaChain::new(certificate, self.chain.certificates().cloned().collect());
        Authority::assemble(domain, chain.map_err(TrustError::Ca)?, key)
    }

    /// Itself, and what leads from it to its root.
    pub fn chain(&self) -> &CaChain {
        &self.chain
    }

    /// Its private key as PEM, wiped when dropped.
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.to_pem()
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
