//! Reaching an endpoint of this cluster or the gateway of another.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use federation_model::data_plane::ExpectedPeer;
use federation_model::spiffe_id::SpiffeId;
use federation_model::trust_domain::TrustDomain;
use federation_trust::bundle_set::AnchorId;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{Authorize, NotAuthorized, TrustError};
use rustls_pki_types::{InvalidDnsNameError, ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::Credentials;
use crate::track::Voucher;

/// The protocol that the gateway offers as a client.
const OFFERED_ALPN: &[u8] = b"istio";
/// A peer that says nothing for so long is probed, so that a connection to a dead machine ends.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Why a dial failed.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nothing answered in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection was refused or broke.
    #[error("connection failed")]
    Connect(#[source] io::Error),
    /// The peer is not who was expected, or does not accept who we are.
    #[error("TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The configured name is not a DNS name.
    #[error("server name is invalid")]
    ServerName(#[source] InvalidDnsNameError),
    /// There is nothing to prove who we are with. Without this check TLS 1.3 would let the handshake end well, and
    /// the refusal would come after the client's first bytes had been taken.
    #[error("the gateway has no valid certificate")]
    NoIdentity,
    /// The handshake ended without a judgement, which TLS does not let happen.
    #[error("the server was not judged")]
    Unjudged,
    /// TLS could not be set up at all.
    #[error("TLS cannot be set up")]
    Setup(#[source] TrustError),
}

/// Connects to `address` within `limit`.
pub async fn plain(address: SocketAddr, limit: Duration) -> Result<TcpStream, DialError> {
    let stream = timeout(limit, TcpStream::connect(address))
        .await
        .map_err(|_elapsed| DialError::TimedOut(limit))?
        .map_err(DialError::Connect)?;
    tune(&stream);
    Ok(stream)
}

/// Small writes go out at once, and a dead peer is noticed. A socket that refuses an option still works.
pub fn tune(stream: &TcpStream) {
    let _slower = stream.set_nodelay(true);
    let _later = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

/// Whom to reach by mTLS.
#[derive(Debug, Clone, Copy)]
pub struct MtlsTarget<'a> {
    /// Where.
    pub address: SocketAddr,
    /// The name to ask for.
    pub sni: &'a str,
    /// The only domain whose bundle may vouch for who answers.
    pub trust_domain: &'a TrustDomain,
    /// Who of it may answer.
    pub expect: &'a ExpectedPeer,
}

/// Connects and ends the handshake, each within `limit`.
pub async fn mtls(
    target: MtlsTarget<'_>,
    credentials: Credentials<'_>,
    limit: Duration,
) -> Result<(TlsStream<TcpStream>, Voucher), DialError> {
    if credentials.identity.get().is_none_or(|identity| identity.not_after() <= SystemTime::now()) {
        return Err(DialError::NoIdentity);
    }
    let expected = Arc::new(Expected {
        domain: target.trust_domain.clone(),
        peer: target.expect.clone(),
        anchor: OnceLock::new(),
    });
    let config = client_config(ClientTls {
        identity: Some(credentials.identity.clone()),
        server: Server::Bundles { bundles: credentials.bundles.clone(), authorize: expected.clone() },
        alpn: vec![OFFERED_ALPN.to_vec()],
    })
    .map_err(DialError::Setup)?;
    let name = ServerName::try_from(target.sni.to_owned()).map_err(DialError::ServerName)?;
    let stream = plain(target.address, limit).await?;
    let stream = timeout(limit, TlsConnector::from(config).connect(name, stream))
        .await
        .map_err(|_elapsed| DialError::TimedOut(limit))?
        .map_err(DialError::Handshake)?;
    // A handshake that ended well was judged.
    let anchor = *expected.anchor.get().ok_or(DialError::Unjudged)?;
    Ok((stream, Voucher { domain: target.trust_domain.clone(), anchor }))
}

/// Accepts who may answer for one target.
#[derive(Debug)]
struct Expected {
    domain: TrustDomain,
    peer: ExpectedPeer,
    anchor: OnceLock<AnchorId>,
}

impl Authorize for Expected {
    fn vouched_by(&self, anchor: AnchorId) {
        // One handshake has one server.
        let _ = self.anchor.set(anchor);
    }

    fn authorize(&self, id: &SpiffeId) -> Result<(), NotAuthorized> {
        if self.peer.accepts(&self.domain, id) {
            Ok(())
        } else {
            Err(NotAuthorized { id: id.clone(), reason: "not who may answer for this target" })
        }
    }
}
