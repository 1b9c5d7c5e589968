//! From a list of servers to a client of one of them, and from that to the next.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use federation_api::MAX_MESSAGE_BYTES;
use federation_api::federation::admin_client::AdminClient as AdminStub;
use federation_api::federation::federation_client::FederationClient;
use federation_kit::backoff::Backoff;
use federation_kit::grpc::connect_tls_with;
use federation_model::TrustDomain;
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{SharedBundles, SharedIdentity};
use rand::Rng;
use rustls::ClientConfig;
use rustls_pki_types::{DnsName, ServerName};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::error::ClientError;
use crate::servers::Servers;
use crate::timing::Timing;

/// HTTP/2, as gRPC needs it.
pub(crate) fn alpn() -> Vec<Vec<u8>> {
    vec![b"h2".to_vec()]
}

/// mTLS towards the servers of one clusterset: by its bundle, and only servers.
pub(crate) fn mutual(
    identity: SharedIdentity,
    bundles: SharedBundles,
    clusterset: &TrustDomain,
) -> Result<Arc<ClientConfig>, ClientError> {
    let authorize = Arc::new(FederationServers { clusterset: Some(clusterset.clone()) });
    let server = Server::Bundles { bundles, authorize };
    Ok(client_config(ClientTls { identity: Some(identity), server, alpn: alpn() })?)
}

/// A lazy channel to one server.
pub(crate) fn channel(timing: &Timing, address: &str, tls: &Arc<ClientConfig>) -> Channel {
    // Sent as SNI and looked at by nobody: the certificate's SPIFFE id says who a server is.
    const NAME: &str = "federation.isthmus";
    let name = DnsName::try_from_str(NAME).map_or_else(
        |_| ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into()),
        |name| ServerName::DnsName(name.to_owned()),
    );
    connect_tls_with(timing.dial, address, Arc::clone(tls), name)
}

/// How a channel to a server is made: by mTLS over TCP, or, in a simulation, by whatever it has. Cheap to clone.
#[derive(Clone)]
pub struct Channels(Arc<Open>);

type Open = dyn Fn(&Timing, &str) -> Channel + Send + Sync;

impl Channels {
    /// Those that `open` makes of the limits and an address.
    pub fn of(open: impl Fn(&Timing, &str) -> Channel + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    /// mTLS over TCP.
    pub(crate) fn tls(tls: Arc<ClientConfig>) -> Self {
        Self::of(move |timing, address| channel(timing, address, &tls))
    }

    pub(crate) fn open(&self, timing: &Timing, address: &str) -> Channel {
        (self.0)(timing, address)
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channels").finish_non_exhaustive()
    }
}

/// A stub with the bounds on messages that both sides keep.
pub(crate) fn federation(channel: Channel) -> FederationClient<Channel> {
    FederationClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// As [`federation`], for operators.
pub(crate) fn admin(channel: Channel) -> AdminStub<Channel> {
    AdminStub::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// Makes one call with a limit, and sorts what comes of it.
pub(crate) async fn call<T>(
    server: &str,
    limit: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, ClientError> {
    match timeout(limit, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(ClientError::from_status(server, status)),
        Err(_) => Err(ClientError::Silent { server: server.to_owned(), limit }),
    }
}

/// Asks one server after the other until one gives an answer, be it no.
pub(crate) async fn first_answer<T, F: Future<Output = Result<T, ClientError>>>(
    servers: &[String],
    mut ask: impl FnMut(String) -> F,
) -> Result<T, ClientError> {
    let mut last = ClientError::Servers(crate::servers::InvalidServers::Empty);
    for server in servers {
        match ask(server.clone()).await {
            Err(error) if !error.is_final() => {
                tracing::debug!(server, error = error.chain(), "server passed over");
                last = error;
            }
            answer => return answer,
        }
    }
    match last {
        ClientError::Servers(_) => Err(last),
        last => Err(ClientError::Unreachable { tried: servers.to_vec(), last: Box::new(last) }),
    }
}

/// Makes sessions with one server after the other, for as long as the process lives.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    pub(crate) servers: Servers,
    pub(crate) channels: Channels,
    pub(crate) timing: Timing,
}

impl Dialer {
    /// Where to begin is random, so that agents spread over the servers.
    pub(crate) fn rotation(&self) -> Rotation {
        let (min, max) = self.timing.reconnect;
        let cursor = rand::rng().random_range(0..crate::servers::MAX_SERVERS);
        Rotation { dialer: self.clone(), backoff: Backoff::new(min, max), cursor, first: true }
    }
}

/// One server after the other, for ever, with a delay before each but the first.
#[derive(Debug)]
pub(crate) struct Rotation {
    dialer: Dialer,
    backoff: Backoff,
    cursor: usize,
    first: bool,
}

impl Rotation {
    /// The next server. `worked` says whether the session with the last one was of use: if so, the delay is short.
    pub(crate) async fn next(&mut self, worked: bool) -> Target {
        if worked {
            self.backoff.reset();
        }
        if !std::mem::take(&mut self.first) {
            self.backoff.wait().await;
        }
        let servers = self.dialer.servers.get();
        // Never empty: `Servers` refuses that.
        let server = servers.get(self.cursor % servers.len().max(1)).cloned().unwrap_or_default();
        self.cursor = self.cursor.wrapping_add(1);
        let client = federation(self.dialer.channels.open(&self.dialer.timing, &server));
        Target { server, client }
    }
}

/// The server of one session.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) server: String,
    pub(crate) client: FederationClient<Channel>,
}
