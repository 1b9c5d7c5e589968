//! Peers of an Envoy: a plain HTTP backend, a remote gateway that ends mTLS, and clients.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use agent_agent::control::IssueIdentity;
use federation_model::SpiffeId;
use federation_trust::authorize::Anyone;
use federation_trust::tls::{ClientTls, Clients, Server, ServerTls, client_config, server_config};
use federation_trust::{SharedBundles, SharedIdentity, verify};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::Ca;

/// What a remote gateway saw of its callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub sni: String,
    pub alpn: String,
    pub caller: String,
}

/// An address with nobody behind it.
pub async fn nobody() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
}

/// A plain HTTP server whose answers are `name`.
pub async fn backend(name: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, name));
        }
    });
    address
}

/// Another cluster's gateway: ends mTLS, notes the call and answers `name`.
pub async fn remote_gateway(
    ca: &Ca,
    id: &SpiffeId,
    trusts: SharedBundles,
    name: &'static str,
) -> (SocketAddr, Arc<Mutex<Vec<Call>>>) {
    let identity = ca.issuer().identity_for(id).unwrap();
    let tls = server_config(ServerTls {
        identity: SharedIdentity::new(identity),
        bundles: trusts,
        clients: Clients::Required,
        authorize: Arc::new(Anyone),
        alpn: vec![b"istio".to_vec()],
    });
    let acceptor = TlsAcceptor::from(tls.unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, noted) = (acceptor.clone(), Arc::clone(&noted));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let (_, session) = stream.get_ref();
                let caller = verify::peer_id(session.peer_certificates().unwrap()).unwrap();
                noted.lock().unwrap().push(Call {
                    sni: session.server_name().unwrap_or_default().to_owned(),
                    alpn: String::from_utf8_lossy(session.alpn_protocol().unwrap_or_default()).into_owned(),
                    caller: caller.to_string(),
                });
                answer(stream, name).await;
            });
        }
    });
    (address, calls)
}

/// Answers requests of HTTP/1.1 without bodies until the peer goes.
async fn answer(stream: impl AsyncRead + AsyncWrite, name: &str) {
    let mut stream = Box::pin(stream);
    let mut seen = Vec::new();
    loop {
        while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => seen.push(byte),
                Err(_) => return,
            }
        }
        seen.clear();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// One request, one answer: its status and what follows the head.
pub async fn http_get(server: SocketAddr, host: &str, path: &str) -> io::Result<(u16, String)> {
    exchange(TcpStream::connect(server).await?, host, path).await
}

/// One request on a connection.
pub async fn exchange(
    stream: impl AsyncRead + AsyncWrite,
    host: &str,
    path: &str,
) -> io::Result<(u16, String)> {
    let mut stream = Box::pin(stream);
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4_096];
    // Our own backends keep the connection: their answer is whole when its body is there.
    loop {
        let size = tokio::time::timeout(super::envoy::ANSWER, stream.read(&mut chunk)).await??;
        answer.extend_from_slice(&chunk[..size]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if size == 0 || length.is_some_and(|length| body.len() >= length) {
                let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
                let status = status.ok_or(io::ErrorKind::InvalidData)?;
                return Ok((status, body.to_owned()));
            }
        } else if size == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// An mTLS client of another cluster; without an issuer, one without a certificate.
pub async fn mtls_get(
    server: SocketAddr,
    sni: &str,
    identity: Option<(&Ca, &str)>,
    trusts: SharedBundles,
) -> io::Result<(u16, String)> {
    let identity =
        identity.map(|(ca, id)| SharedIdentity::new(ca.issuer().identity_for(&id.parse().unwrap()).unwrap()));
    let server_side = Server::Bundles { bundles: trusts, authorize: Arc::new(Anyone) };
    let tls = client_config(ClientTls { identity, server: server_side, alpn: vec![b"istio".to_vec()] });
    let stream = TcpStream::connect(server).await?;
    let name = sni.to_owned().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    let stream = TlsConnector::from(tls.unwrap()).connect(name, stream).await?;
    exchange(stream, "anything", "/").await
}

/// Something to connect to on this address.
pub fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}
