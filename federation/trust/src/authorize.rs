//! What a verified identity may do.

use std::fmt;

use federation_model::{SpiffeId, TrustDomain};

use crate::bundle_set::AnchorId;
use crate::infra::{Role, role};

/// A verified peer may not do what it asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{id}: {reason}")]
pub struct NotAuthorized {
    /// Who asked.
    pub id: SpiffeId,
    /// Why not, for our own log. The peer hears `access_denied` and nothing else.
    pub reason: &'static str,
}

/// Decides over verified identities during the handshake. Must not block.
pub trait Authorize: Send + Sync + fmt::Debug {
    /// Allows or refuses `id`.
    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized>;

    /// Hears, before it is asked, which authority vouches for the peer. Whoever keeps connections remembers it, to know
    /// whether they may go on when bundles change.
    fn vouched_by(&self, _anchor: AnchorId) {}
}

/// A decision by a function, named for logs.
pub struct FnAuthorize<F> {
    name: &'static str,
    reason: &'static str,
    allows: F,
}

impl<F: Fn(&SpiffeId) -> bool + Send + Sync> FnAuthorize<F> {
    /// Allows whom `allows` says; `reason` is given for the others.
    pub fn new(name: &'static str, reason: &'static str, allows: F) -> Self {
        Self { name, reason, allows }
    }
}

impl<F: Fn(&SpiffeId) -> bool + Send + Sync> Authorize for FnAuthorize<F> {
    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized> {
        if (self.allows)(id) { Ok(()) } else { Err(NotAuthorized { id: id.clone(), reason: self.reason }) }
    }
}

impl<F> fmt::Debug for FnAuthorize<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnAuthorize({})", self.name)
    }
}

/// Allows every verified identity: the decision is made later, per call.
#[derive(Debug, Clone, Copy)]
pub struct Anyone;

impl Authorize for Anyone {
    fn authorize(&self, _: &SpiffeId) -> Result<(), NotAuthorized> {
        Ok(())
    }
}

/// Refuses every verified identity, all alike.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Authorize for Nobody {
    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized> {
        Err(NotAuthorized { id: id.clone(), reason: "nobody is authorised here" })
    }
}

/// Allows exactly one identity.
#[derive(Debug, Clone)]
pub struct Only(pub SpiffeId);

impl Authorize for Only {
    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized> {
        if id == &self.0 {
            Ok(())
        } else {
            Err(NotAuthorized { id: id.clone(), reason: "another identity was expected" })
        }
    }
}

/// Allows federation servers.
#[derive(Debug, Clone)]
pub struct FederationServers {
    /// Of this clusterset; of any, while a joiner knows nothing but the hash of its authority.
    pub clusterset: Option<TrustDomain>,
}

impl Authorize for FederationServers {
    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized> {
        match role(id, self.clusterset.as_ref()) {
            Role::Server(_) => Ok(()),
            _ => Err(NotAuthorized { id: id.clone(), reason: "not a server of the federation" }),
        }
    }
}
