//! A cluster that has joined the federation, and its connection to one of the servers.

use std::sync::Arc;

use anyhow::Context;
use federation_client::{Servers, Timing, join};
use federation_kit::grpc::connect_tls;
use federation_model::TrustDomain;
use federation_trust::authorize::FederationServers;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, PrivateKey, SharedBundles, SharedIdentity};
use multi_cluster_e2e_lab::lab::Lab;
use rustls_pki_types::ServerName;
use tonic::transport::Channel;

/// How long a join token is good for: each is used at once.
const TOKEN_SECONDS: u64 = 600;

/// One cluster.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) number: usize,
    pub(super) clusterset: TrustDomain,
    pub(super) channel: Channel,
}

impl Member {
    /// Joins as `name`, at the server whose turn `number` is.
    pub(super) async fn join(lab: &Lab, name: String, number: usize) -> anyhow::Result<Self> {
        let addresses: Vec<String> = lab.topology().api_addresses().iter().map(ToString::to_string).collect();
        let address = addresses.get(number % addresses.len().max(1)).context("a lab without servers")?;
        let token = lab.operator()?.create_token(&name.parse()?, TOKEN_SECONDS).await?.token.parse()?;
        let servers = Servers::new(vec![address.clone()])?;
        let joined = join(&servers, &token, &PrivateKey::generate()?, &Timing::default()).await?;
        let (bundles, _) = BundleSet::from_bundles([&joined.bundle]);
        let clusterset = joined.clusterset;
        let authorize = Arc::new(FederationServers { clusterset: Some(clusterset.clone()) });
        let tls = client_config(ClientTls {
            identity: Some(SharedIdentity::new(joined.identity)),
            server: Server::Bundles { bundles: SharedBundles::new(bundles), authorize },
            alpn: vec![b"h2".to_vec()],
        })?;
        let channel = connect_tls(address.clone(), tls, ServerName::try_from("federation.isthmus")?);
        Ok(Self { name, number, clusterset, channel })
    }
}
