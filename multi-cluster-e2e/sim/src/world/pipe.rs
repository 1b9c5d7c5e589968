//! A connection of an agent: bytes in both directions, through the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use federation_kit::grpc::TlsPeer;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::watch;
use tonic::transport::server::Connected;

use super::net::{End, Net};

/// Bytes that one side may write before the other reads.
const BUFFER: usize = 64 * 1024;
/// Bytes that travel together.
const SEGMENT: usize = 16 * 1024;

/// The server's side. TLS is left out: the certificate that a handshake would have brought is simply there.
#[derive(Debug)]
pub struct Accepted {
    stream: DuplexStream,
    chain: Arc<[CertificateDer<'static>]>,
}

/// Connects `agent`, who shows `chain`, with `server`; the connection breaks when `alive` ends.
pub fn connect(
    net: &Net,
    agent: End,
    server: End,
    chain: Arc<[CertificateDer<'static>]>,
    alive: &watch::Receiver<bool>,
) -> (DuplexStream, Accepted) {
    let (ours, near) = duplex(BUFFER);
    let (far, theirs) = duplex(BUFFER);
    let (near_read, near_write) = tokio::io::split(near);
    let (far_read, far_write) = tokio::io::split(far);
    tokio::spawn(pump(net.clone(), agent, server, near_read, far_write, alive.clone()));
    tokio::spawn(pump(net.clone(), server, agent, far_read, near_write, alive.clone()));
    (ours, Accepted { stream: theirs, chain })
}

async fn pump(
    net: Net,
    from: End,
    to: End,
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    mut alive: watch::Receiver<bool>,
) {
    let carry = async {
        let mut bytes = vec![0; SEGMENT];
        while let Ok(length) = read.read(&mut bytes).await {
            net.pass(from, to).await;
            let Some(segment) = bytes.get(..length).filter(|segment| !segment.is_empty()) else { break };
            if write.write_all(segment).await.is_err() {
                break;
            }
        }
        // The other side may be gone already.
        let _ = write.shutdown().await;
    };
    tokio::select! {
        biased;
        _ = alive.wait_for(|alive| !alive) => {}
        () = carry => {}
    }
}

impl Connected for Accepted {
    type ConnectInfo = TlsPeer;

    fn connect_info(&self) -> TlsPeer {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        TlsPeer { address, chain: Arc::clone(&self.chain) }
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
