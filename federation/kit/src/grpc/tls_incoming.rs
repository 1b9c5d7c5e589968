//! Accepts TLS connections for a gRPC server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::accept::Accept;
use super::handshake_metrics::{HandshakeFailure, HandshakeMetrics};
use super::tls_peer::TlsConnection;
use crate::bind::{self, BindError};

/// Longest time a peer may take for its handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Most handshakes at the same time; further connections wait in the kernel's queue.
pub const MAX_HANDSHAKES: usize = 256;

/// A bound listener, as a stream of connections whose handshake is done. A failed handshake is counted and skipped:
/// the stream never yields an error and never ends. Handshakes run in tasks that end with the stream.
#[derive(Debug)]
pub struct TlsIncoming {
    listener: TcpListener,
    local: SocketAddr,
    acceptor: Handshake,
    accept: Accept,
    max_handshakes: usize,
    handshakes: JoinSet<Option<TlsConnection>>,
}

#[derive(Clone)]
struct Handshake {
    config: Arc<ServerConfig>,
    metrics: HandshakeMetrics,
}

impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").finish_non_exhaustive()
    }
}

impl TlsIncoming {
    /// Binds the listener. `config` decides whom to accept; it must offer ALPN `h2` if clients ask for ALPN.
    ///
    /// # Errors
    /// When the address is taken, absent or forbidden.
    pub async fn bind(
        address: SocketAddr,
        config: Arc<ServerConfig>,
        metrics: HandshakeMetrics,
    ) -> Result<Self, BindError> {
        let listener = bind::tcp(address).await?;
        let local = bind::bound(&listener, address)?;
        Ok(Self {
            listener,
            local,
            acceptor: Handshake { config, metrics },
            accept: Accept::default(),
            max_handshakes: MAX_HANDSHAKES,
            handshakes: JoinSet::new(),
        })
    }

    /// Replaces [`MAX_HANDSHAKES`] (at least 1).
    #[must_use]
    pub fn max_handshakes(mut self, max: usize) -> Self {
        self.max_handshakes = max.max(1);
        self
    }

    /// The address it listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

impl Handshake {
    async fn run(self, tcp: TcpStream, peer: SocketAddr) -> Option<TlsConnection> {
        // Small messages both ways; a socket that refuses the option still works.
        let _ = tcp.set_nodelay(true);
        let failure = match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(self.config).accept(tcp)).await {
            Ok(Ok(stream)) => {
                self.metrics.succeeded();
                return Some(TlsConnection::new(stream, peer));
            }
            Ok(Err(error)) => {
                let failure = HandshakeFailure::of(&error);
                tracing::debug!(%peer, reason = failure.reason(), %error, "tls handshake failed");
                failure
            }
            Err(_) => {
                tracing::debug!(%peer, reason = HandshakeFailure::Timeout.reason(), "tls handshake failed");
                HandshakeFailure::Timeout
            }
        };
        self.metrics.failed(failure);
        None
    }
}

impl Stream for TlsIncoming {
    type Item = Result<TlsConnection, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // Finished handshakes first: each one frees a place for a new connection. An empty set is `Ready(None)`
            // without a wake-up, which is right: the next wake-up then comes from the listener.
            while let Poll::Ready(Some(ended)) = this.handshakes.poll_join_next(cx) {
                match ended {
                    Ok(Some(connection)) => return Poll::Ready(Some(Ok(connection))),
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, "tls handshake task failed"),
                }
            }
            if this.handshakes.len() >= this.max_handshakes {
                return Poll::Pending;
            }
            match this.accept.poll(cx, |cx| this.listener.poll_accept(cx)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready((tcp, peer)) => {
                    this.handshakes.spawn(this.acceptor.clone().run(tcp, peer));
                }
            }
        }
    }
}
