//! The port on which the other servers call.

use std::net::SocketAddr;
use std::sync::Arc;

use federation_kit::bind::BindError;
use federation_kit::grpc::{HandshakeMetrics, TlsIncoming};
use federation_model::TrustDomain;
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{Clients, ServerTls, server_config};
use federation_trust::{SharedBundles, SharedIdentity, TrustError};

/// A bound Raft port. Only servers of the clusterset get through its handshake.
#[derive(Debug)]
pub struct PeerListener {
    pub(crate) incoming: TlsIncoming,
}

/// Why the Raft port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, absent or forbidden.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The TLS configuration could not be made.
    #[error("tls of the raft port cannot be set up")]
    Tls(#[source] TrustError),
}

impl PeerListener {
    /// Binds `address`. `bundles` must hold the bundle of `clusterset`.
    pub async fn bind(
        address: SocketAddr,
        clusterset: &TrustDomain,
        identity: SharedIdentity,
        bundles: SharedBundles,
        metrics: HandshakeMetrics,
    ) -> Result<Self, ListenError> {
        let authorize = Arc::new(FederationServers { clusterset: Some(clusterset.clone()) });
        let alpn = vec![b"h2".to_vec()];
        let tls = ServerTls { identity, bundles, clients: Clients::Required, authorize, alpn };
        let config = server_config(tls).map_err(ListenError::Tls)?;
        Ok(Self { incoming: TlsIncoming::bind(address, config, metrics).await? })
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.incoming.local_addr()
    }
}
