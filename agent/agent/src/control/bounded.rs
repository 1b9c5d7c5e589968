//! No more connections at once than a bound.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use federation_kit::grpc::{TlsConnection, TlsIncoming, TlsPeer};
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;
use tonic::transport::server::Connected;

/// Connections of a listener. While there is no room, none is taken; handshakes wait with them, within their own bound.
#[derive(Debug)]
pub struct Bounded {
    incoming: TlsIncoming,
    room: PollSemaphore,
    /// Room for the next connection, taken before it comes.
    next: Option<OwnedSemaphorePermit>,
}

/// A connection, and its room.
#[derive(Debug)]
pub struct BoundedConnection {
    connection: TlsConnection,
    _room: OwnedSemaphorePermit,
}

impl Bounded {
    /// At most `most` connections at once.
    pub fn new(incoming: TlsIncoming, most: usize) -> Self {
        let room = PollSemaphore::new(Arc::new(Semaphore::new(most)));
        Self { incoming, room, next: None }
    }
}

impl Stream for Bounded {
    type Item = Result<BoundedConnection, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let room = match this.next.take() {
            Some(room) => room,
            None => match ready!(this.room.poll_acquire(cx)) {
                Some(room) => room,
                None => return Poll::Ready(None),
            },
        };
        match Pin::new(&mut this.incoming).poll_next(cx) {
            Poll::Pending => {
                this.next = Some(room);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(connection))) => {
                Poll::Ready(Some(Ok(BoundedConnection { connection, _room: room })))
            }
            Poll::Ready(None) => Poll::Ready(None),
        }
    }
}

impl Connected for BoundedConnection {
    type ConnectInfo = TlsPeer;

    fn connect_info(&self) -> TlsPeer {
        self.connection.connect_info()
    }
}

impl AsyncRead for BoundedConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_read(cx, buffer)
    }
}

impl AsyncWrite for BoundedConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().connection).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().connection).poll_shutdown(cx)
    }
}
