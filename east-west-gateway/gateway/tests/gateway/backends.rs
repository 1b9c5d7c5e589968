//! What stands behind a gateway.

use std::net::SocketAddr;
use std::sync::Arc;

use federation_trust::authorize::Anyone;
use federation_trust::tls::{Clients, ServerTls, server_config};
use federation_trust::{Identity, SharedBundles};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A server that ends with the test, or when it is dropped.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Backend {
    /// Nobody listens there any more once this returns.
    pub(crate) async fn stop(mut self) -> SocketAddr {
        self.accepting.abort();
        let _aborted = (&mut self.accepting).await;
        self.address
    }
}

async fn any() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A real HTTP server that answers every request with `name`, the path and the length of the body.
pub(crate) async fn http(name: &'static str) -> Backend {
    let (listener, address) = any().await;
    let answer = async move |uri: axum::http::Uri, body: String| {
        format!("{name} got {} and {} bytes", uri.path(), body.len())
    };
    let router = axum::Router::new().fallback(answer);
    let accepting = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Backend { address, accepting }
}

/// Answers each connection, once the client has said that it is done, with `name` and what the client sent.
pub(crate) async fn after_end(name: &'static str) -> Backend {
    let (listener, address) = any().await;
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_at_end(name, stream));
        }
    });
    Backend { address, accepting }
}

/// As [`after_end`], behind mTLS of its own.
pub(crate) async fn tls_after_end(name: &'static str, identity: Identity, bundles: SharedBundles) -> Backend {
    let config = server_config(ServerTls {
        identity: crate::world::shared(identity),
        bundles,
        clients: Clients::Required,
        authorize: Arc::new(Anyone),
        alpn: vec![b"istio".to_vec()],
    });
    let acceptor = TlsAcceptor::from(config.unwrap());
    let (listener, address) = any().await;
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    answer_at_end(name, stream).await;
                }
            });
        }
    });
    Backend { address, accepting }
}

async fn answer_at_end(name: &str, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut sent = Vec::new();
    if stream.read_to_end(&mut sent).await.is_ok() {
        let mut answer = format!("{name}:").into_bytes();
        answer.extend(sent);
        let _gone = stream.write_all(&answer).await;
        let _gone = stream.shutdown().await;
    }
}

/// Sends back every byte as it comes.
pub(crate) async fn echo() -> Backend {
    let (listener, address) = any().await;
    let accepting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _gone = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    Backend { address, accepting }
}
