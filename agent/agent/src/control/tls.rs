//! The listener for gateways that run in pods: TLS 1.3 with the agent's own certificate, callers known by their tokens.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use federation_kit::bind::BindError;
use federation_kit::exit::{Exit, Failure};
use federation_kit::grpc::{HandshakeMetrics, TlsIncoming};
use federation_trust::SharedIdentity;
use federation_trust::provider::provider;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;

use super::bounded::Bounded;
use super::guard::Guard;
use super::review::ReviewToken;
use crate::config::AccountName;

/// Most connections at once; further ones wait in the kernel's queue. Gateways need one each.
pub const MAX_CONNECTIONS: usize = 256;
/// Most calls at once of one connection: a watch, a report, and a request for a certificate.
pub const MAX_CALLS: u32 = 16;
/// Largest request, in bytes: reports are bounded by [`super::gateways`], certificate requests have some 500 bytes.
pub const MAX_REQUEST: usize = 1024 * 1024;

/// What is needed to serve gateways over TLS.
#[derive(Debug)]
pub struct TlsListener {
    /// Where.
    pub listen: SocketAddr,
    /// Who we are: `spiffe://<cluster's domain>/isthmus/agent`. Replaced when it is renewed; without one every handshake
    /// fails.
    pub identity: SharedIdentity,
    /// Who tells whose a token is.
    pub reviewer: Arc<dyn ReviewToken>,
    /// Whose calls are answered.
    pub accounts: BTreeSet<AccountName>,
}

/// Why gateways are not served over TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsListenError {
    /// The address is taken, absent or forbidden.
    #[error("gateways cannot be served over TLS")]
    Bind(#[source] BindError),
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

impl From<TlsListenError> for Failure {
    fn from(error: TlsListenError) -> Self {
        match error {
            // It names the address itself.
            TlsListenError::Bind(error) => error.into(),
            setup @ TlsListenError::Setup(_) => Self::new(Exit::Internal, setup),
        }
    }
}

/// The listener, bound.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) incoming: Bounded,
    pub(super) local: SocketAddr,
    pub(super) guard: Guard,
}

impl TlsListener {
    pub(super) async fn bind(self, registry: &mut Registry) -> Result<Tls, TlsListenError> {
        let Self { listen, identity, reviewer, accounts } = self;
        let config = server_config(identity)?;
        let control = registry.sub_registry_with_prefix("isthmus_agent_control");
        let metrics = HandshakeMetrics::register(control);
        let guard = Guard::new(reviewer, accounts, control);
        let bound = TlsIncoming::bind(listen, config, metrics).await;
        let incoming = bound.map_err(TlsListenError::Bind)?;
        let local = incoming.local_addr();
        Ok(Tls { incoming: Bounded::new(incoming, MAX_CONNECTIONS), local, guard })
    }
}

/// No certificate is asked of callers: a gateway comes here to get its first. No resumption, so that a replaced identity
/// is seen by every new connection.
fn server_config(identity: SharedIdentity) -> Result<Arc<ServerConfig>, TlsListenError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsListenError::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(identity));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
