//! A client that dials an east-west gateway by itself, as another cluster's gateway does, and says exactly what it saw:
//! the answer, or the alert, and the TLS records on the wire.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::Context as _;
use federation_api::gateway::gateway_control_client::GatewayControlClient;
use federation_api::gateway::{IssueRequest, WatchRequest};
use federation_model::SpiffeId;
use federation_model::data_plane::GatewayConfig;
use federation_trust::authorize::Anyone;
use federation_trust::bundle_set::{BundleSet, SharedBundles};
use federation_trust::identity::{Identity, SharedIdentity};
use federation_trust::key::PrivateKey;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::verify::peer_id;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read, and most that are recorded of the wire.
const MAX_SEEN: usize = 64 * 1024;

/// Who calls, and whom it believes.
#[derive(Debug, Clone)]
pub struct MtlsClient {
    identity: Option<SharedIdentity>,
    bundles: SharedBundles,
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The verified identity of the gateway, if the handshake came so far.
    pub server: Option<SpiffeId>,
    /// The whole answer as text, or how it was refused.
    pub answer: Result<String, Refused>,
    /// Content type and length of every TLS record that arrived.
    pub records: Vec<(u8, usize)>,
}

/// How a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// By this TLS alert (RFC 8446 section 6, as rustls names it).
    Alert(String),
    /// The connection was closed without a word.
    Closed,
    /// Otherwise.
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alert(alert) => write!(f, "the alert {alert}"),
            Self::Closed => f.write_str("closing without a word"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl MtlsClient {
    /// A client with the identity of a cluster's gateway, issued by its agent, and that cluster's bundles.
    pub async fn as_gateway(agent_socket: &Path) -> anyhow::Result<Self> {
        let channel = federation_kit::grpc::connect_unix(agent_socket);
        let mut agent = GatewayControlClient::new(channel)
            .max_decoding_message_size(federation_api::MAX_LOCAL_MESSAGE_BYTES);
        let key = PrivateKey::generate()?;
        let issued =
            agent.issue(IssueRequest { csr: key.csr()?.0 }).await.context("the agent issues nothing")?;
        let chain = issued.into_inner().chain.into_iter().map(CertificateDer::from).collect();
        let identity = Identity::new(chain, &key)?;
        let watch = WatchRequest { gateway: "isthmus-lab".to_owned() };
        let mut configs = agent.watch(watch).await.context("the agent tells no configuration")?.into_inner();
        let config = configs.message().await?.context("the agent ended the watch")?;
        let config = GatewayConfig::try_from(config)?;
        let (bundles, _) = BundleSet::from_bundles(config.bundles.values());
        Ok(Self { identity: Some(SharedIdentity::new(identity)), bundles: SharedBundles::new(bundles) })
    }

    /// The same believer without a certificate.
    #[must_use]
    pub fn without_certificate(&self) -> Self {
        Self { identity: None, bundles: self.bundles.clone() }
    }

    /// The same believer with another certificate.
    #[must_use]
    pub fn with_identity(&self, identity: Identity) -> Self {
        Self { identity: Some(SharedIdentity::new(identity)), bundles: self.bundles.clone() }
    }

    /// Who it is.
    pub fn id(&self) -> Option<SpiffeId> {
        self.identity.as_ref()?.get().map(|identity| identity.id().clone())
    }

    /// One HTTP request to whatever `sni` names at `gateway`.
    pub async fn call(&self, gateway: SocketAddr, sni: &str) -> anyhow::Result<Seen> {
        let config = client_config(ClientTls {
            identity: self.identity.clone(),
            server: Server::Bundles { bundles: self.bundles.clone(), authorize: Arc::new(Anyone) },
            alpn: vec![b"istio".to_vec()],
        })?;
        let name =
            ServerName::try_from(sni.to_owned()).with_context(|| format!("{sni:?} is no server name"))?;
        let tcp =
            TcpStream::connect(gateway).await.with_context(|| format!("nobody listens on {gateway}"))?;
        // Every write is waited for: the peer's delayed acknowledgement must not be part of what is seen.
        tcp.set_nodelay(true)?;
        let wire = Arc::new(Mutex::new(Vec::new()));
        let tap = Tap { inner: tcp, seen: Arc::clone(&wire) };
        let talk = talk(TlsConnector::from(config), name, tap);
        let (server, answer) = tokio::time::timeout(CALL, talk).await.context("the gateway says nothing")?;
        let records = records(&wire.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Seen { server, answer, records })
    }
}

async fn talk(
    connector: TlsConnector,
    name: ServerName<'static>,
    tap: Tap,
) -> (Option<SpiffeId>, Result<String, Refused>) {
    let mut stream = match connector.connect(name, tap).await {
        Ok(stream) => stream,
        Err(error) => return (None, Err(refusal(&error))),
    };
    let server = stream.get_ref().1.peer_certificates().and_then(|chain| peer_id(chain).ok());
    // In TLS 1.3 the client is done before the server has judged its certificate: a refusal arrives as an answer.
    if let Err(error) = stream.write_all(b"GET / HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n\r\n").await {
        return (server, Err(refusal(&error)));
    }
    let mut answer = Vec::new();
    let mut limited = (&mut stream).take(MAX_SEEN as u64);
    let answer = match limited.read_to_end(&mut answer).await {
        Ok(0) => Err(Refused::Closed),
        Ok(_) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Err(error) => Err(refusal(&error)),
    };
    (server, answer)
}

fn refusal(error: &std::io::Error) -> Refused {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Refused::Alert(format!("{alert:?}")),
        Some(other) => Refused::Other(other.to_string()),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => Refused::Closed,
        None if error.kind() == std::io::ErrorKind::ConnectionReset => Refused::Closed,
        None => Refused::Other(error.to_string()),
    }
}

/// Splits what arrived into TLS records (RFC 8446 section 5.1).
fn records(wire: &[u8]) -> Vec<(u8, usize)> {
    let mut found = Vec::new();
    let mut rest = wire;
    while let [kind, _, _, high, low, body @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        found.push((*kind, length));
        rest = body.get(length..).unwrap_or_default();
    }
    found
}

/// Remembers what is read through it.
#[derive(Debug)]
struct Tap {
    inner: TcpStream,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_SEEN.saturating_sub(seen.len());
        let fresh = buf.filled().get(before..).unwrap_or_default();
        seen.extend(fresh.iter().take(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_by_their_headers() {
        let wire = [22, 3, 3, 0, 2, 9, 9, 21, 3, 3, 0, 1, 0];
        assert_eq!(records(&wire), [(22, 2), (21, 1)]);
        assert_eq!(records(&[23, 3, 3, 1, 0, 5]), [(23, 256)], "a cut record still has a header");
        assert_eq!(records(&[23, 3]), []);
    }
}
