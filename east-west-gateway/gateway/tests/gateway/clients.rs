//! Callers from other clusters, honest and not, and what they see.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use federation_trust::authorize::Anyone;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{Identity, SharedBundles};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::world::{DEADLINE, Pki, shared};

/// How a caller calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) identity: Option<Identity>,
    pub(crate) alpn: Vec<&'static str>,
    pub(crate) versions: Vec<&'static rustls::SupportedProtocolVersion>,
    /// Most bytes that one write to the socket takes.
    pub(crate) write_size: usize,
    pub(crate) bundles: SharedBundles,
}

impl Caller {
    pub(crate) fn new(pki: &Pki, id: &str) -> Self {
        Self::with(pki, Some(pki.identity(id)))
    }

    pub(crate) fn with(pki: &Pki, identity: Option<Identity>) -> Self {
        Self {
            identity,
            alpn: vec!["istio"],
            versions: vec![&rustls::version::TLS13, &rustls::version::TLS12],
            write_size: usize::MAX,
            bundles: pki.shared_bundles(),
        }
    }

    fn config(&self) -> Arc<ClientConfig> {
        let server = Server::Bundles { bundles: self.bundles.clone(), authorize: Arc::new(Anyone) };
        let alpn = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let identity = self.identity.clone().map(shared);
        client_config(ClientTls { identity, server, alpn }).unwrap()
    }

    /// `name`: the SNI, or an IP address for none.
    pub(crate) async fn call(&self, to: SocketAddr, name: &str) -> io::Result<TlsStream<Recorded>> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let recorded = Recorded { inner: stream, write_size: self.write_size, seen: Vec::new() };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(self.config());
        timeout(DEADLINE, connector.connect(name, recorded)).await.unwrap()
    }

    /// Calls, sends a request, and writes down everything that can be seen of the answer.
    pub(crate) async fn observe(&self, to: SocketAddr, name: &str) -> Seen {
        let connector = TlsConnector::from(self.versioned_config());
        let stream = TcpStream::connect(to).await.unwrap();
        let recorded = Recorded { inner: stream, write_size: self.write_size, seen: Vec::new() };
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let handshake = timeout(DEADLINE, connector.connect(name, recorded).into_fallible()).await.unwrap();
        match handshake {
            Err((error, recorded)) => Seen::new(Err(error), Ok(vec![]), &recorded),
            Ok(mut tls) => {
                // The gateway may have closed already; what counts is what can be read.
                let _gone = tls.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
                let _gone = tls.flush().await;
                let mut answer = Vec::new();
                let read = timeout(DEADLINE, tls.read_to_end(&mut answer)).await.unwrap().map(|_| answer);
                Seen::new(Ok(()), read, tls.get_ref().0)
            }
        }
    }

    fn versioned_config(&self) -> Arc<ClientConfig> {
        let whole = self.config();
        if self.versions.len() == 2 {
            return whole;
        }
        // The same judgement and identity, for one version of TLS only.
        let server = Server::Bundles { bundles: self.bundles.clone(), authorize: Arc::new(Anyone) };
        let identity = self.identity.clone().map(shared);
        let tls = ClientTls { identity, server, alpn: vec![] };
        let mut config = only(&self.versions, tls);
        config.alpn_protocols = whole.alpn_protocols.clone();
        Arc::new(config)
    }
}

/// A client configuration for some versions of TLS, which believes any server: it is what a prober would use.
fn only(versions: &[&'static rustls::SupportedProtocolVersion], tls: ClientTls) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(federation_trust::provider())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(believer::Believer));
    match tls.identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(identity)),
        None => builder.with_no_client_auth(),
    }
}

mod believer {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    /// Believes everybody.
    #[derive(Debug)]
    pub(super) struct Believer;

    impl ServerCertVerifier for Believer {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            federation_trust::provider().signature_verification_algorithms.supported_schemes()
        }
    }
}

/// Everything that a caller can see of a refusal: how the handshake ended, what could be read after it, and the kind
/// of every TLS record that came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) handshake: Result<(), String>,
    pub(crate) read: Result<Vec<u8>, String>,
    pub(crate) records: Vec<u8>,
}

impl Seen {
    fn new(handshake: io::Result<()>, read: io::Result<Vec<u8>>, recorded: &Recorded) -> Self {
        let text = |error: io::Error| error.to_string();
        Self { handshake: handshake.map_err(text), read: read.map_err(text), records: recorded.records() }
    }

    /// The words for the failure, whichever step it came at.
    pub(crate) fn failure(&self) -> &str {
        match (&self.handshake, &self.read) {
            (Err(error), _) | (Ok(()), Err(error)) => error,
            (Ok(()), Ok(_)) => "none",
        }
    }
}

/// Remembers what was read, and writes in pieces.
pub(crate) struct Recorded {
    inner: TcpStream,
    write_size: usize,
    seen: Vec<u8>,
}

impl Recorded {
    fn records(&self) -> Vec<u8> {
        let mut kinds = Vec::new();
        let mut rest = &self.seen[..];
        while let [kind, _, _, high, low, after @ ..] = rest {
            kinds.push(*kind);
            rest = after.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default();
        }
        kinds
    }
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.seen.extend(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let part = buf.len().min(self.write_size);
        Pin::new(&mut self.inner).poll_write(cx, &buf[..part])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Sends bytes that need not be TLS, says that it is done, and returns what comes back.
pub(crate) async fn send_raw(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too: an empty one.
    let _reset = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

/// Sends `text` and reads to the end before ending its own half: HTTP servers take a half-close for a client that left.
pub(crate) async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    text: &str,
) -> io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap()?;
    stream.shutdown().await?;
    Ok(answer)
}

/// Sends `text`, ends the sending half, and reads to the end.
pub(crate) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    text: &str,
) -> io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap()?;
    Ok(answer)
}
