//! One kind of listener for both kinds of local address.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tonic::transport::server::Connected;

use super::accept::Accept;
use super::address::LocalAddr;
use super::unix_incoming::{UnixIncoming, bind_unix};
use crate::bind::{self, BindError};

/// A bound [`LocalAddr`], as a stream of connections.
#[derive(Debug)]
pub struct LocalIncoming(Listener);

#[derive(Debug)]
enum Listener {
    Unix(UnixIncoming),
    Tcp { listener: TcpListener, local: SocketAddr, accept: Accept },
}

/// Who is at the other end of a local connection, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalPeer {
    /// A process of a user who may open the socket; its id where the kernel tells.
    Unix {
        /// Process id of the peer when it connected.
        pid: Option<i32>,
    },
    /// Any process of this machine.
    Tcp(SocketAddr),
}

/// An accepted local connection.
#[derive(Debug)]
pub enum LocalConnection {
    /// On a Unix socket.
    Unix(UnixStream),
    /// On loopback TCP, from this address.
    Tcp(TcpStream, SocketAddr),
}

impl LocalIncoming {
    /// Binds the address; see [`bind_unix`] for what happens to a socket that is there.
    ///
    /// # Errors
    /// When the address or name is taken, absent or forbidden.
    pub async fn bind(address: &LocalAddr) -> Result<Self, BindError> {
        match address {
            LocalAddr::Unix(path) => bind_unix(path).await.map(|incoming| Self(Listener::Unix(incoming))),
            LocalAddr::Tcp(address) => {
                let listener = bind::tcp(*address).await?;
                let local = bind::bound(&listener, *address)?;
                Ok(Self(Listener::Tcp { listener, local, accept: Accept::default() }))
            }
        }
    }

    /// The address it listens on, with the port chosen by the system where port 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> LocalAddr {
        match &self.0 {
            Listener::Unix(incoming) => LocalAddr::Unix(incoming.path().to_owned()),
            Listener::Tcp { local, .. } => LocalAddr::Tcp(*local),
        }
    }
}

impl Stream for LocalIncoming {
    type Item = io::Result<LocalConnection>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.get_mut().0 {
            Listener::Unix(incoming) => {
                Pin::new(incoming).poll_next(cx).map(|next| next.map(|one| one.map(LocalConnection::Unix)))
            }
            Listener::Tcp { listener, accept, .. } => {
                accept.poll(cx, |cx| listener.poll_accept(cx)).map(|(stream, peer)| {
                    // Small messages both ways; a socket that refuses the option still works.
                    let _ = stream.set_nodelay(true);
                    Some(Ok(LocalConnection::Tcp(stream, peer)))
                })
            }
        }
    }
}

impl Connected for LocalConnection {
    type ConnectInfo = LocalPeer;

    fn connect_info(&self) -> LocalPeer {
        match self {
            Self::Unix(stream) => {
                LocalPeer::Unix { pid: stream.peer_cred().ok().and_then(|peer| peer.pid()) }
            }
            Self::Tcp(_, peer) => LocalPeer::Tcp(*peer),
        }
    }
}

impl AsyncRead for LocalConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tcp(stream, _) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for LocalConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tcp(stream, _) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
