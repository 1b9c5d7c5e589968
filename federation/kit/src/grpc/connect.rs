//! Channels to gRPC servers. All are lazy: the first request dials, and a broken connection is dialled again by the
//! next request; errors of dialling come back from the request as `Unavailable`.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::address::LocalAddr;

/// How patient a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial {
    /// Longest time for TCP and TLS together.
    pub connect: Duration,
    /// How often a ping is sent, also while no request runs.
    pub ping_every: Duration,
    /// How long its answer may take before the connection counts as dead.
    pub ping_timeout: Duration,
}

impl Default for Dial {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            ping_every: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(5),
        }
    }
}

/// A channel over TLS to `address` (`host:port` or `ip:port`). Whom to trust is decided by `config`; `server_name`
/// is only sent as SNI.
#[must_use]
pub fn connect_tls(
    address: impl Into<String>,
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
) -> Channel {
    connect_tls_with(Dial::default(), address, config, server_name)
}

/// As [`connect_tls`], with other patience.
#[must_use]
pub fn connect_tls_with(
    dial: Dial,
    address: impl Into<String>,
    config: Arc<ClientConfig>,
    server_name: ServerName<'static>,
) -> Channel {
    let address: Arc<str> = address.into().into();
    let tls = TlsConnector::from(config);
    let connector = service_fn(move |_: Uri| {
        let (address, tls, server_name) = (Arc::clone(&address), tls.clone(), server_name.clone());
        async move {
            let tcp = tcp(&*address).await?;
            tls.connect(server_name, tcp).await.map(TokioIo::new)
        }
    });
    endpoint(dial).connect_with_connector_lazy(connector)
}

/// A channel to a Unix socket.
#[must_use]
pub fn connect_unix(path: &Path) -> Channel {
    let path: Arc<Path> = path.into();
    let connector = service_fn(move |_: Uri| {
        let path = Arc::clone(&path);
        async move { UnixStream::connect(&path).await.map(TokioIo::new) }
    });
    endpoint(Dial::default()).connect_with_connector_lazy(connector)
}

/// A channel to a local address of either kind.
#[must_use]
pub fn connect_local(address: &LocalAddr) -> Channel {
    match address {
        LocalAddr::Unix(path) => connect_unix(path),
        LocalAddr::Tcp(address) => {
            let address = *address;
            let connector = service_fn(move |_: Uri| async move { tcp(address).await.map(TokioIo::new) });
            endpoint(Dial::default()).connect_with_connector_lazy(connector)
        }
    }
}

async fn tcp(address: impl tokio::net::ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The authority of requests says nothing: where to dial is known by the connector, and who answers by the
/// certificate.
fn endpoint(dial: Dial) -> Endpoint {
    Endpoint::from_static("http://isthmus.invalid")
        .connect_timeout(dial.connect)
        .http2_keep_alive_interval(dial.ping_every)
        .keep_alive_timeout(dial.ping_timeout)
        .keep_alive_while_idle(true)
}
