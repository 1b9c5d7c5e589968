//! Why a server that can be dialled does not answer: asked by a TLS handshake with nothing on top.
//!
//! In TLS 1.3 a server judges the client's certificate when the client already believes that the handshake is over. A
//! client that goes on to speak HTTP/2 may fail to write before it has read the alert, so a failed call does not reliably
//! say that a certificate was refused. A client that only reads hears it always.

use std::io::{self, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

/// How long one server may take for each step.
const PATIENCE: Duration = Duration::from_secs(2);
/// Sent as SNI; nobody looks at it.
const NAME: &str = "federation.isthmus";

/// The TLS error of the first server that has one. Blocks for a few seconds at most per server.
pub(crate) fn tls_error(servers: &[String], config: &Arc<ClientConfig>) -> Option<rustls::Error> {
    servers.iter().find_map(|server| handshake(server, Arc::clone(config)).err().as_ref().and_then(inside))
}

fn handshake(server: &str, config: Arc<ClientConfig>) -> io::Result<()> {
    let address = server.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let tcp = TcpStream::connect_timeout(&address, PATIENCE)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    // A server that lets us in waits for us to speak, so this ends by the time-out, by bytes of its own, or by the alert.
    StreamOwned::new(tls, tcp).read(&mut [0]).map(drop)
}

fn inside(error: &io::Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}
