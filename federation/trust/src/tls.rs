//! rustls configurations that judge peers by [`crate::verify`] and [`crate::authorize`].
//!
//! Session resumption is off on both sides. A resumed session skips the certificates, so a peer whose bundle was
//! withdrawn, whose certificate ran out, or who is no longer authorised would get in on the strength of an old
//! judgement. Connections between daemons live long; a full handshake each is cheap.

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use crate::authorize::Authorize;
use crate::bundle_set::SharedBundles;
use crate::error::TrustError;
use crate::identity::SharedIdentity;
use crate::provider::provider;

mod client_side;
mod server_side;
mod signatures;

use client_side::JudgeServer;
use server_side::JudgeClient;

/// TLS 1.3, and 1.2 for proxies that know no better.
static VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// What a listener needs.
#[derive(Debug)]
pub struct ServerTls {
    /// Who we are.
    pub identity: SharedIdentity,
    /// By whom we believe.
    pub bundles: SharedBundles,
    /// Whether a client must show a certificate.
    pub clients: Clients,
    /// Whom of those we believe we let in.
    pub authorize: Arc<dyn Authorize>,
    /// Protocols offered, in order; none: ALPN is not spoken.
    pub alpn: Vec<Vec<u8>>,
}

/// Whether a client must show a certificate. One that is shown is always judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// Without one: `certificate_required`.
    Required,
    /// Without one: anonymous, for the call that trades a join token for a certificate.
    Optional,
}

/// What a dialler needs.
#[derive(Debug)]
pub struct ClientTls {
    /// Who we are; none: anonymous.
    pub identity: Option<SharedIdentity>,
    /// Whom we expect.
    pub server: Server,
    /// Protocols offered, in order; none: ALPN is not spoken.
    pub alpn: Vec<Vec<u8>>,
}

/// How a server is believed. Its name is not looked at: the SPIFFE id is its name.
#[derive(Debug)]
pub enum Server {
    /// By the bundle of its own trust domain.
    Bundles {
        /// The bundles.
        bundles: SharedBundles,
        /// Whom of those we believe we talk to.
        authorize: Arc<dyn Authorize>,
    },
    /// By the one authority whose certificate has this hash, and which the server must present.
    Pinned {
        /// SHA-256 of the authority's certificate (DER).
        ca_sha256: [u8; 32],
        /// Whom of those we believe we talk to.
        authorize: Arc<dyn Authorize>,
    },
}

/// A listener's configuration. Cheap enough to make one per connection, as a gateway does.
pub fn server_config(tls: ServerTls) -> Result<Arc<ServerConfig>, TrustError> {
    let judge = JudgeClient::new(tls.bundles, tls.clients, tls.authorize);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TrustError::Tls)?
        .with_client_cert_verifier(Arc::new(judge))
        .with_cert_resolver(Arc::new(tls.identity));
    config.alpn_protocols = tls.alpn;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A dialler's configuration. The name passed with each connection is sent as SNI and otherwise ignored.
pub fn client_config(tls: ClientTls) -> Result<Arc<ClientConfig>, TrustError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(TrustError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(JudgeServer::new(tls.server)));
    let mut config = match tls.identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(identity)),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = tls.alpn;
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
