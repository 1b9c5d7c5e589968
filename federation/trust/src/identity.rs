//! A certificate chain with its key: who we are.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use federation_model::SpiffeId;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use crate::error::TrustError;
use crate::key::PrivateKey;
use crate::lifetime::{Lifetime, system_time};
use crate::pem;
use crate::svid::Svid;
use crate::verify;

mod shared;

pub use shared::SharedIdentity;

/// Our chain, leaf first, and its key. Keeps the rules that peers will hold it to; whether an authority vouches for it
/// is asked by [`Identity::verify`].
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKey,
    id: SpiffeId,
    lifetime: Lifetime,
    certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Puts chain and key together.
    ///
    /// # Errors
    /// If the leaf breaks a rule of X509-SVID or belongs to another key.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKey) -> Result<Self, TrustError> {
        let leaf = chain.first().ok_or(TrustError::NoCertificate)?;
        let Svid { id, lifetime } = Svid::parse(leaf).map_err(TrustError::Svid)?;
        let certified = Arc::new(certified_key(chain.clone(), key)?);
        Ok(Self { chain, key: key.clone(), id, lifetime, certified })
    }

    /// Reads chain and key from PEM texts.
    pub fn from_pem(cert_chain_pem: &str, key_pem: &str) -> Result<Self, TrustError> {
        Self::new(pem::read_certificates(cert_chain_pem)?, &PrivateKey::from_pem(key_pem)?)
    }

    /// The chain and the key as PEM texts, in that order. The key's is wiped when dropped.
    pub fn to_pem(&self) -> (String, Zeroizing<String>) {
        (pem::write_certificates(&self.chain), self.key.to_pem())
    }

    /// Leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Who we are.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// From when.
    pub fn not_before(&self) -> SystemTime {
        system_time(self.lifetime.not_before)
    }

    /// Until when.
    pub fn not_after(&self) -> SystemTime {
        system_time(self.lifetime.not_after)
    }

    /// When to ask for a new one: at half of its life. The caller adds jitter.
    pub fn renew_at(&self) -> SystemTime {
        let Lifetime { not_before, not_after } = self.lifetime;
        system_time(not_before.saturating_add(not_after.saturating_sub(not_before) / 2))
    }

    /// Whether peers that hold `bundles` will believe it at `now`. New credentials are asked this before they replace
    /// old ones.
    pub fn verify(
        &self,
        bundles: &crate::BundleSet,
        now: rustls_pki_types::UnixTime,
    ) -> Result<(), crate::PeerError> {
        verify::verify_peer(&self.chain, bundles, now).map(drop)
    }

    /// As rustls takes it.
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

/// Chain and key for rustls, if they belong together.
pub(crate) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKey,
) -> Result<CertifiedKey, TrustError> {
    CertifiedKey::from_der(chain, key.to_der(), &crate::provider()).map_err(TrustError::KeyMismatch)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("id", &self.id)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
