//! One cluster as a member: its certificate, and how it dials.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use federation_client::{Joined, Servers, Timing, join};
use federation_kit::grpc::Dial;
use federation_model::{ClusterId, TrustDomain};
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, PrivateKey, SharedBundles, SharedIdentity};
use rustls_pki_types::ServerName;

use crate::servers;

/// How long a join token is good for: it is used at once.
const TOKEN_SECONDS: u64 = 600;

/// As the defaults, but of less patience: rounds are short.
pub const TIMING: Timing = Timing {
    dial: DIAL,
    answer: Duration::from_secs(5),
    silence: Duration::from_secs(3),
    leader_stall: Duration::from_secs(10),
    report_every: Duration::from_secs(3),
    reconnect: (Duration::from_millis(50), Duration::from_millis(500)),
    retry_refused: (Duration::from_millis(200), Duration::from_secs(2)),
    save_every: Duration::from_secs(1),
};
const DIAL: Dial = Dial {
    connect: Duration::from_secs(1),
    ping_every: Duration::from_secs(1),
    ping_timeout: Duration::from_secs(2),
};

/// The servers as clients know them. Clones share them.
#[derive(Debug, Clone)]
pub struct Known {
    /// As the client library takes them.
    pub dialled: Servers,
    by_number: Arc<Mutex<BTreeMap<u64, String>>>,
}

impl Known {
    /// At first.
    ///
    /// # Errors
    /// If there is none.
    pub fn new(addresses: BTreeMap<u64, String>) -> anyhow::Result<Self> {
        let dialled = Servers::new(addresses.values().cloned().collect())?;
        Ok(Self { dialled, by_number: Arc::new(Mutex::new(addresses)) })
    }

    /// From now on.
    ///
    /// # Errors
    /// If there is none.
    pub fn set(&self, addresses: BTreeMap<u64, String>) -> anyhow::Result<()> {
        self.dialled.set(addresses.values().cloned().collect())?;
        *self.by_number.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
        Ok(())
    }

    /// All of them, by number.
    pub fn addresses(&self) -> BTreeMap<u64, String> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The number of the server at an address, as a name.
    pub fn name_of(&self, address: &str) -> String {
        let known = self.addresses().into_iter().find(|(_, known)| known == address);
        known.map_or_else(|| address.to_owned(), |(id, _)| format!("server {id}"))
    }
}

/// A member of the federation.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its cluster.
    pub cluster: ClusterId,
    /// The clusterset.
    pub clusterset: TrustDomain,
    /// Its certificate.
    pub identity: SharedIdentity,
    /// Whom it believes.
    pub bundles: SharedBundles,
    /// The servers.
    pub servers: Known,
}

impl Member {
    /// Joins.
    ///
    /// # Errors
    /// If no server answers, or the answer is no.
    pub async fn join(
        federation: &servers::Servers,
        servers: Known,
        cluster: ClusterId,
    ) -> anyhow::Result<Self> {
        let addresses = servers.addresses();
        let sockets: Vec<SocketAddr> =
            addresses.values().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let token =
            federation.operator(&sockets)?.create_token(&cluster, TOKEN_SECONDS).await?.token.parse()?;
        let Joined { identity, bundle, clusterset, .. } =
            join(&servers.dialled, &token, &PrivateKey::generate()?, &TIMING)
                .await
                .with_context(|| format!("{cluster} cannot join"))?;
        Ok(Self {
            cluster,
            clusterset,
            identity: SharedIdentity::new(identity),
            bundles: SharedBundles::new(BundleSet::from_bundles([&bundle]).0),
            servers,
        })
    }

    /// A channel to one server.
    ///
    /// # Errors
    /// If the TLS configuration cannot be made.
    pub fn dial(&self, address: &str) -> anyhow::Result<Stub> {
        let authorize = Arc::new(FederationServers { clusterset: Some(self.clusterset.clone()) });
        let tls = client_config(ClientTls {
            identity: Some(self.identity.clone()),
            server: Server::Bundles { bundles: self.bundles.clone(), authorize },
            alpn: vec![b"h2".to_vec()],
        })?;
        let name = ServerName::try_from("federation.isthmus")?;
        Ok(Stub::new(federation_kit::grpc::connect_tls_with(DIAL, address.to_owned(), tls, name))
            .max_decoding_message_size(federation_api::MAX_MESSAGE_BYTES))
    }
}

/// A bare client of a server.
pub type Stub = federation_api::federation::federation_client::FederationClient<tonic::transport::Channel>;
