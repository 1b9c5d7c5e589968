//! The sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::forward::Forwarder;
use super::metrics::{DnsMetrics, Zone};
use super::table::SharedTable;
use super::wire::{Judged, Pending, Responder, Sections, Transport};

/// Largest question. Larger ones are cut by the kernel, and then do not decode.
const MAX_QUESTION: usize = 4_096;
/// Questions that wait for upstreams at one time; more are answered SERVFAIL at once.
const MAX_FORWARDS: usize = 1_024;
/// Connections at one time; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection may be silent (RFC 7766, section 6.2.3).
const IDLE: Duration = Duration::from_secs(10);
/// How often another port is tried when UDP's is taken for TCP; only when the system chooses the port.
const PORT_TRIES: usize = 16;

/// How to serve.
#[derive(Debug, Clone)]
pub struct DnsOptions {
    /// Where to listen, by UDP and by TCP. Port 0: any port that is free for both.
    pub listen: SocketAddr,
    /// Who is asked about other names. Nobody: such names are refused.
    pub upstream: Vec<SocketAddr>,
    /// How long upstreams may take.
    pub upstream_timeout: Duration,
}

impl DnsOptions {
    /// Serves at `listen` and asks `upstream`, for at most two seconds.
    pub fn new(listen: SocketAddr, upstream: Vec<SocketAddr>) -> Self {
        Self { listen, upstream, upstream_timeout: Duration::from_secs(2) }
    }
}

/// Why there is no DNS server.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The address is taken, or not ours.
    #[error("cannot listen for DNS on {address}")]
    Bind {
        /// Where it was tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The upstream side could not be made.
    #[error("cannot prepare DNS upstreams")]
    Upstream(#[source] Box<hickory_resolver::net::NetError>),
    /// The socket failed while serving.
    #[error("DNS socket failed")]
    Socket(#[source] io::Error),
}

/// A server that holds its sockets and does not serve yet.
#[derive(Debug)]
pub struct DnsServer {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    responder: Responder,
    forwarder: Option<Forwarder>,
    forwards: Semaphore,
}

impl DnsServer {
    /// Takes the sockets and registers the metrics.
    pub async fn bind(
        options: &DnsOptions,
        table: SharedTable,
        registry: &mut Registry,
    ) -> Result<Self, DnsError> {
        let forwarder = match options.upstream.as_slice() {
            [] => None,
            upstream => {
                let made = Forwarder::new(upstream, options.upstream_timeout);
                Some(made.map_err(|error| DnsError::Upstream(Box::new(error)))?)
            }
        };
        let bound = bind_both(options.listen).await;
        let (udp, tcp) = bound.map_err(|source| DnsError::Bind { address: options.listen, source })?;
        let address = tcp.local_addr().map_err(DnsError::Socket)?;
        let metrics = DnsMetrics::register(registry);
        let responder = Responder { table, metrics, forwards: forwarder.is_some() };
        let shared = Shared { responder, forwarder, forwards: Semaphore::new(MAX_FORWARDS) };
        Ok(Self { udp: Arc::new(udp), tcp, address, shared: Arc::new(shared) })
    }

    /// Where it listens, by UDP and by TCP.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its counters.
    pub fn metrics(&self) -> DnsMetrics {
        self.shared.responder.metrics.clone()
    }

    /// Serves until `stop`; questions that are being answered then are dropped, since their clients ask again.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), DnsError> {
        tokio::select! {
            () = stop => Ok(()),
            result = serve_udp(Arc::clone(&self.udp), Arc::clone(&self.shared)) => result,
            result = serve_tcp(&self.tcp, &self.shared) => result,
        }
    }
}

async fn bind_both(listen: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = if listen.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let udp = UdpSocket::bind(listen).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if tries <= 1 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, shared: Arc<Shared>) -> Result<(), DnsError> {
    let mut buffer = vec![0; MAX_QUESTION];
    let mut forwards = JoinSet::new();
    loop {
        while forwards.try_join_next().is_some() {}
        let (size, client) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An earlier answer's client is gone (ICMP): nothing is wrong with the socket.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(DnsError::Socket(error)),
        };
        match shared.responder.judge(buffer.get(..size).unwrap_or_default(), Transport::Udp) {
            Judged::Silent => {}
            Judged::Reply(bytes) => send(&socket, client, &bytes).await,
            // The bound is on the task, not only on the asking.
            Judged::Forward(pending) if forwards.len() >= MAX_FORWARDS => {
                send(&socket, client, &shared.overloaded(*pending)).await;
            }
            Judged::Forward(pending) => {
                let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
                forwards.spawn(async move { send(&socket, client, &shared.forward(*pending).await).await });
            }
        }
    }
}

async fn send(socket: &UdpSocket, client: SocketAddr, bytes: &[u8]) {
    if let Err(error) = socket.send_to(bytes, client).await {
        tracing::debug!(%client, %error, "answer not sent");
    }
}

async fn serve_tcp(listener: &TcpListener, shared: &Arc<Shared>) -> Result<(), DnsError> {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, Arc::clone(shared), permit));
            }
            // The connection died before it was accepted, or descriptors are short: the next may do better.
            Err(error) => {
                tracing::warn!(%error, "DNS connection not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers the questions of one connection, one after the other.
async fn serve_connection(mut stream: TcpStream, shared: Arc<Shared>, _permit: OwnedSemaphorePermit) {
    loop {
        let step = async {
            let mut question = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut question).await?;
            let reply = match shared.responder.judge(&question, Transport::Tcp) {
                Judged::Silent => return Err(io::ErrorKind::InvalidData.into()),
                Judged::Reply(bytes) => bytes,
                Judged::Forward(pending) => shared.forward(*pending).await,
            };
            let length = u16::try_from(reply.len()).map_err(|_| io::ErrorKind::InvalidData)?;
            let mut frame = length.to_be_bytes().to_vec();
            frame.extend_from_slice(&reply);
            stream.write_all(&frame).await
        };
        if !matches!(tokio::time::timeout(IDLE, step).await, Ok(Ok(()))) {
            return;
        }
    }
}

impl Shared {
    async fn forward(&self, pending: Pending) -> Vec<u8> {
        let (Some(forwarder), Ok(_permit)) = (&self.forwarder, self.forwards.try_acquire()) else {
            return self.overloaded(pending);
        };
        let (code, sections) = forwarder.ask(pending.query()).await;
        self.responder.metrics.answered(Zone::forwarded, code);
        pending.reply(code, sections, Zone::forwarded)
    }

    fn overloaded(&self, pending: Pending) -> Vec<u8> {
        self.responder.metrics.answered(Zone::forwarded, ResponseCode::ServFail);
        pending.reply(ResponseCode::ServFail, Sections::default(), Zone::forwarded)
    }
}
