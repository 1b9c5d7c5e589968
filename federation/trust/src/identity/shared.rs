//! The identity of a running process, replaced when it is renewed.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::Identity;

/// An [`Identity`] that can be replaced while connections are made, or come later. Cheap to clone; clones share it.
/// Each handshake uses the identity of its moment; connections that stand keep theirs.
#[derive(Clone, Default)]
pub struct SharedIdentity(Arc<ArcSwapOption<Identity>>);

impl SharedIdentity {
    /// Starts with an identity.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(ArcSwapOption::from_pointee(identity)))
    }

    /// Starts with none: a server refuses every handshake, a client presents no certificate.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Replaces the identity.
    pub fn set(&self, identity: Identity) {
        self.0.store(Some(Arc::new(identity)));
    }

    /// The identity of now.
    pub fn get(&self) -> Option<Arc<Identity>> {
        self.0.load_full()
    }

    fn certified_key(&self) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|identity| identity.certified_key())
    }
}

impl ResolvesServerCert for SharedIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }
}

impl ResolvesClientCert for SharedIdentity {
    /// Hints of wanted issuers are ignored: there is one identity, and saying so is better than hiding it.
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }

    /// Always asked anew: the identity may come after the configuration was made.
    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for SharedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(identity) => write!(f, "SharedIdentity({})", identity.id()),
            None => f.write_str("SharedIdentity(none)"),
        }
    }
}
