//! Ending a caller's mTLS, or refusing it, in one and the same way.
//!
//! Everything up to the caller's certificate happens alike for every name. The only things that the handshake's first
//! half depends on are the caller's own: its versions and whether it offered a mesh protocol.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use east_west_gateway_route::decide::{MESH_ALPN, offers_mesh_alpn};
use east_west_gateway_route::{ClientHello, RefusalReason};
use federation_model::spiffe_id::SpiffeId;
use federation_trust::bundle_set::AnchorId;
use federation_trust::tls::{Clients, ServerTls, server_config};
use federation_trust::{PeerError, SharedBundles, SharedIdentity};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub mod gatekeeper;
pub mod prefixed;

pub use gatekeeper::{Gatekeeper, Verdict};
pub use prefixed::Prefixed;

use crate::applied::Applied;
use crate::listen::farewell;

/// A caller's TLS, ended here.
pub type Terminated = TlsStream<Prefixed<TcpStream>>;

/// What [`accept`] needs besides the connection.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// Who the gateway is.
    pub identity: &'a SharedIdentity,
    /// By whom it believes callers.
    pub bundles: &'a SharedBundles,
}

/// A connection whose hello has been read.
#[derive(Debug)]
pub struct Greeted {
    /// The connection.
    pub stream: TcpStream,
    /// Every byte read from it so far.
    pub bytes: Vec<u8>,
    /// What they say.
    pub hello: ClientHello,
}

/// A caller that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it proved to be.
    pub id: SpiffeId,
    /// Which authority of its own domain vouches for it.
    pub anchor: AnchorId,
}

/// Ends the TLS of a caller whom `verdict` admits. On a refusal the alert has been sent and the connection closed.
pub async fn accept(
    greeted: Greeted,
    applied: Arc<Applied>,
    verdict: Verdict,
    credentials: Credentials<'_>,
    limit: Duration,
) -> Result<(Terminated, Caller), RefusalReason> {
    let gatekeeper = Arc::new(Gatekeeper::new(applied, verdict));
    // Without a common protocol rustls would refuse by an alert of its own, before the certificate is asked for.
    let alpn = if offers_mesh_alpn(&greeted.hello) { &MESH_ALPN[..] } else { &[] };
    let config = server_config(ServerTls {
        identity: credentials.identity.clone(),
        bundles: credentials.bundles.clone(),
        clients: Clients::Required,
        authorize: gatekeeper.clone(),
        alpn: alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
    })
    .map_err(|_| RefusalReason::NotReady)?;
    let handshake =
        TlsAcceptor::from(config).accept(Prefixed::new(greeted.bytes, greeted.stream)).into_fallible();
    match timeout(limit, handshake).await {
        Err(_elapsed) => Err(RefusalReason::SlowHandshake),
        Ok(Err((error, stream))) => {
            farewell(stream.into_inner()).await;
            Err(gatekeeper
                .outcome()
                .and_then(|outcome| outcome.as_ref().err().copied())
                .unwrap_or_else(|| reason(&error)))
        }
        Ok(Ok(stream)) => match (gatekeeper.outcome(), gatekeeper.anchor()) {
            (Some(Ok(id)), Some(anchor)) => Ok((stream, Caller { id: id.clone(), anchor })),
            // No handshake ends well without the gatekeeper's consent: clients are required to be judged.
            (Some(Err(reason)), _) => Err(*reason),
            (Some(Ok(_)) | None, _) => Err(RefusalReason::NoCertificate),
        },
    }
}

/// The word for a handshake that failed before or beside the gatekeeper.
fn reason(error: &io::Error) -> RefusalReason {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner.and_then(PeerError::reason_of_tls) {
        Some("no_certificate") => RefusalReason::NoCertificate,
        Some("unknown_issuer") => RefusalReason::UnknownIssuer,
        Some(_) => RefusalReason::BadCertificate,
        None => RefusalReason::HandshakeFailed,
    }
}
