//! Who signs for this cluster's workloads and gateways.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_model::{SpiffeId, TrustDomain};
use federation_trust::csr::{self, VerifiedCsr};
use federation_trust::{Authority, Identity, Lifetime, PrivateKey, TrustError};

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request is not a certificate request, or not by the holder of its key.
    #[error("certificate request is not acceptable")]
    Request(#[source] csr::CsrError),
    /// The authority did not sign.
    #[error("authority did not sign")]
    Authority(#[source] TrustError),
}

/// Signs for one trust domain. Deciding that the asker *is* the id is the caller's duty.
pub trait IssueIdentity: fmt::Debug + Send + Sync + 'static {
    /// The domain that it signs for.
    fn trust_domain(&self) -> TrustDomain;

    /// A certificate for the key of a verified request: leaf first, DER.
    ///
    /// # Errors
    /// If the id is of another domain, or the authority cannot sign.
    fn sign(&self, csr: &VerifiedCsr, id: &SpiffeId) -> Result<Vec<Vec<u8>>, IssueError>;

    /// A key of our making and its certificate, for proxies, which are given both.
    ///
    /// # Errors
    /// As [`IssueIdentity::sign`].
    fn identity_for(&self, id: &SpiffeId) -> Result<Identity, IssueError> {
        let key = PrivateKey::generate().map_err(IssueError::Authority)?;
        let request = key.csr().map_err(IssueError::Authority)?;
        let request = csr::verified_key(&request.0).map_err(IssueError::Request)?;
        let chain = self.sign(&request, id)?.into_iter().map(Into::into).collect();
        Identity::new(chain, &key).map_err(IssueError::Authority)
    }
}

/// Signs with the authority that this agent holds.
#[derive(Debug, Clone)]
pub struct LocalAuthority {
    authority: Arc<Authority>,
    lifetime: Duration,
}

impl LocalAuthority {
    /// Leaves hold for `lifetime`, and are renewed at half of it.
    pub fn new(authority: Arc<Authority>, lifetime: Duration) -> Self {
        Self { authority, lifetime }
    }
}

impl IssueIdentity for LocalAuthority {
    fn trust_domain(&self) -> TrustDomain {
        self.authority.domain().clone()
    }

    fn sign(&self, csr: &VerifiedCsr, id: &SpiffeId) -> Result<Vec<Vec<u8>>, IssueError> {
        let lifetime = Lifetime::starting_at(SystemTime::now(), self.lifetime);
        let chain = self.authority.issue(csr, id, lifetime).map_err(IssueError::Authority)?;
        Ok(chain.into_iter().map(|certificate| certificate.to_vec()).collect())
    }
}
