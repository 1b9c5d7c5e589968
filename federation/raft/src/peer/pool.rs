//! One connection to each other server, shared by replication, elections and forwarded writes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation_api::raft::RaftMessage;
use federation_api::raft::raft_client::RaftClient;
use federation_kit::grpc::{Dial, connect_tls_with};
use federation_model::{ServerId, TrustDomain};
use federation_trust::authorize::Only;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{SharedBundles, SharedIdentity, TrustError, infra};
use futures::FutureExt;
use futures::future::BoxFuture;
use rustls::pki_types::ServerName;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::MAX_PEER_MESSAGE_BYTES;
use super::transport::{Call, NoAnswer, Transport};
use crate::types::Member;

const DIAL: Dial = Dial {
    connect: Duration::from_secs(1),
    ping_every: Duration::from_secs(10),
    ping_timeout: Duration::from_secs(3),
};

/// Dials the other servers, each once.
#[derive(Debug)]
pub(crate) struct Peers {
    clusterset: TrustDomain,
    identity: SharedIdentity,
    bundles: SharedBundles,
    open: Mutex<BTreeMap<(ServerId, String), RaftClient<Channel>>>,
}

impl Peers {
    pub(crate) fn new(clusterset: TrustDomain, identity: SharedIdentity, bundles: SharedBundles) -> Self {
        Self { clusterset, identity, bundles, open: Mutex::default() }
    }

    /// A client of `target`; it dials when it is first used.
    fn client(&self, target: ServerId, known: Option<&Member>) -> Result<RaftClient<Channel>, NoPeer> {
        let member = known.ok_or(NoPeer::Unknown(target))?;
        let key = (target, member.raft.clone());
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = open.get(&key) {
            return Ok(client.clone());
        }
        let config = client_config(ClientTls {
            identity: Some(self.identity.clone()),
            server: Server::Bundles {
                bundles: self.bundles.clone(),
                authorize: Arc::new(Only(infra::server_id(&self.clusterset, target))),
            },
            alpn: vec![b"h2".to_vec()],
        })
        .map_err(NoPeer::Tls)?;
        // An address is no SNI: servers are known by their SPIFFE id.
        let name = ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let client = RaftClient::new(connect_tls_with(DIAL, member.raft.as_str(), config, name))
            .max_decoding_message_size(MAX_PEER_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_PEER_MESSAGE_BYTES);
        // Wherever else it was, it is not any more.
        open.retain(|(server, _), _| *server != target);
        open.insert(key, client.clone());
        Ok(client)
    }

    async fn exchange(
        &self,
        target: ServerId,
        known: Option<&Member>,
        call: Call,
        payload: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, NoAnswer> {
        let client = self.client(target, known).map_err(|error| NoAnswer::Failed(Box::new(error)))?;
        let mut request = Request::new(RaftMessage { payload });
        request.set_timeout(limit);
        match tokio::time::timeout(limit, send(client, call, request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().payload),
            Ok(Err(status)) if status.code() == Code::Unimplemented => Err(NoAnswer::Unknown),
            Ok(Err(status)) => Err(NoAnswer::Failed(Box::new(Refused(Box::new(status))))),
            Err(_) => Err(NoAnswer::Timeout(limit)),
        }
    }
}

impl Transport for Peers {
    fn call<'a>(
        &'a self,
        target: ServerId,
        known: Option<&'a Member>,
        call: Call,
        payload: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Vec<u8>, NoAnswer>> {
        self.exchange(target, known, call, payload, limit).boxed()
    }
}

async fn send(
    mut client: RaftClient<Channel>,
    call: Call,
    request: Request<RaftMessage>,
) -> Result<Response<RaftMessage>, Status> {
    match call {
        Call::Append => client.append_entries(request).await,
        Call::Vote => client.vote(request).await,
        Call::Install => client.install_snapshot(request).await,
        Call::Propose => client.propose(request).await,
        Call::About => client.about(request).await,
        Call::Manage => client.manage(request).await,
        Call::TakeOver => client.take_over(request).await,
    }
}

/// Why there is no answer of a server that was called.
#[derive(Debug, thiserror::Error)]
#[error("call failed")]
struct Refused(#[source] Box<Status>);

/// Why there is no client of a server.
#[derive(Debug, thiserror::Error)]
enum NoPeer {
    /// Nobody told where it is.
    #[error("server {0} has no known address")]
    Unknown(ServerId),
    /// The TLS configuration could not be made.
    #[error("tls cannot be set up")]
    Tls(#[source] TrustError),
}
