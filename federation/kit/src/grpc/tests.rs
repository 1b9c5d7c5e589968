//! Real sockets, real TLS, and HTTP/2 through tonic's own server; no generated service is needed for that.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::routing::get;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tonic::transport::{Channel, Server};
use tower::ServiceExt;

use super::*;
use crate::testing::eventually;

const LONG: Duration = Duration::from_secs(60);

struct Pki {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Pki {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        Self { issuer: rcgen::Issuer::new(params, key), roots: Arc::new(roots) }
    }

    fn leaf(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["peer.test".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    fn server(&self) -> Arc<ServerConfig> {
        let (certificate, key) = self.leaf();
        let verifier = WebPkiClientVerifier::builder(Arc::clone(&self.roots)).build().unwrap();
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    fn client(&self, leaf: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder().with_root_certificates(Arc::clone(&self.roots));
        let mut config = match leaf {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

/// Serves `/peer` on a TLS listener: the answer is the number of bytes of the caller's leaf.
async fn serve(pki: &Pki, metrics: &HandshakeMetrics, handshakes: usize) -> (SocketAddr, JoinHandle<()>) {
    let incoming = TlsIncoming::bind("127.0.0.1:0".parse().unwrap(), pki.server(), metrics.clone())
        .await
        .unwrap()
        .max_handshakes(handshakes);
    let address = incoming.local_addr();
    let peer = async |Extension(peer): Extension<TlsPeer>| peer.chain.first().unwrap().len().to_string();
    let routes = Routes::from(axum::Router::new().route("/peer", get(peer)));
    let serve = async move {
        Server::builder().add_routes(routes).serve_with_incoming(incoming).await.unwrap();
    };
    (address, tokio::spawn(serve))
}

async fn ask(channel: Channel, path: &str) -> Result<String, tonic::transport::Error> {
    let request = http::Request::get(path).body(tonic::body::Body::empty()).unwrap();
    let body = channel.oneshot(request).await?.into_body();
    let bytes = axum::body::to_bytes(axum::body::Body::new(body), 1024).await.unwrap();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

fn dial(address: SocketAddr, config: Arc<ClientConfig>) -> Channel {
    connect_tls(address.to_string(), config, ServerName::try_from("peer.test").unwrap())
}

#[tokio::test]
async fn a_request_over_tls_carries_the_callers_chain() {
    let pki = Pki::new();
    let metrics = HandshakeMetrics::default();
    let (address, server) = serve(&pki, &metrics, MAX_HANDSHAKES).await;
    let leaf = pki.leaf();
    let length = leaf.0.len().to_string();
    assert_eq!(ask(dial(address, pki.client(Some(leaf))), "/peer").await.unwrap(), length);
    assert_eq!(metrics.successes(), 1);
    server.abort();
}

#[tokio::test]
async fn failed_handshakes_are_counted_by_reason_and_do_not_stop_the_listener() {
    let pki = Pki::new();
    let metrics = HandshakeMetrics::default();
    let (address, server) = serve(&pki, &metrics, MAX_HANDSHAKES).await;

    ask(dial(address, pki.client(None)), "/peer").await.unwrap_err();
    // Trusts the server, and shows a certificate of another CA.
    ask(dial(address, pki.client(Some(Pki::new().leaf()))), "/peer").await.unwrap_err();
    // Does not trust the server.
    ask(dial(address, Pki::new().client(None)), "/peer").await.unwrap_err();
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    drop(TcpStream::connect(address).await.unwrap());

    for failure in [
        HandshakeFailure::NoCertificate,
        HandshakeFailure::BadCertificate,
        HandshakeFailure::RefusedByPeer,
        HandshakeFailure::Protocol,
        HandshakeFailure::Closed,
    ] {
        let counted = eventually(LONG, async || metrics.failures(failure) == 1).await;
        counted.unwrap_or_else(|error| panic!("{}: {error}", failure.reason()));
    }
    ask(dial(address, pki.client(Some(pki.leaf()))), "/peer").await.unwrap();
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_and_frees_its_place() {
    let pki = Pki::new();
    let metrics = HandshakeMetrics::default();
    let (address, server) = serve(&pki, &metrics, 1).await;
    let begun = tokio::time::Instant::now();
    let silent = TcpStream::connect(address).await.unwrap();
    eventually(LONG, async || metrics.failures(HandshakeFailure::Timeout) == 1).await.unwrap();
    assert!(begun.elapsed() >= HANDSHAKE_TIMEOUT);
    ask(dial(address, pki.client(Some(pki.leaf()))), "/peer").await.unwrap();
    drop(silent);
    server.abort();
}

#[tokio::test]
async fn a_unix_socket_is_private_replaces_a_stale_one_and_refuses_a_live_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    // A socket file that nobody listens on any more.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());

    let address = LocalAddr::Unix(path.clone());
    let incoming = LocalIncoming::bind(&address).await.unwrap();
    assert_eq!(incoming.local_addr(), address);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let error = bind_unix(&path).await.unwrap_err();
    assert_eq!(error.exit(), crate::exit::Exit::Unavailable);

    let peer = async |Extension(peer): Extension<LocalPeer>| {
        let own = LocalPeer::Unix { pid: i32::try_from(std::process::id()).ok() };
        (peer == own).to_string()
    };
    let routes = Routes::from(axum::Router::new().route("/peer", get(peer)));
    let (trigger, watcher) = crate::drain::channel();
    let serve = Server::builder().add_routes(routes);
    let server = tokio::spawn(serve.serve_with_incoming_shutdown(incoming, watcher.signalled()));
    drop(watcher);
    assert_eq!(ask(connect_local(&address), "/peer").await.unwrap(), "true");
    trigger.drain(LONG).await;
    server.await.unwrap().unwrap();
    assert!(!path.exists(), "the socket file outlives its listener");
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    assert_eq!(bind_unix(&path).await.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    let long = directory.path().join("x".repeat(110));
    assert_eq!(bind_unix(&long).await.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn loopback_tcp_is_served_alike() {
    let incoming = LocalIncoming::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = incoming.local_addr();
    let routes = Routes::from(axum::Router::new().route("/hello", get(async || "hello")));
    let server = tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(incoming));
    assert_eq!(ask(connect_local(&address), "/hello").await.unwrap(), "hello");
    server.abort();
}
