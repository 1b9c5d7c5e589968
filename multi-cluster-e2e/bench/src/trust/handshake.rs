//! A mutual TLS 1.3 handshake in memory: judged by trust domain, and by rustls' own verifiers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::ensure;
use federation_model::Bundle;
use federation_trust::authorize::Anyone;
use federation_trust::csr::verified_key;
use federation_trust::tls::{ClientTls, Clients, Server, ServerTls, client_config, server_config};
use federation_trust::{
    Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity, provider,
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};

const NAME: &str = "echo.demo.svc.clusterset.local";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Both ends, twice.
pub(super) struct Sides {
    ours: (Arc<ClientConfig>, Arc<ServerConfig>),
    stock: (Arc<ClientConfig>, Arc<ServerConfig>),
}

impl Sides {
    pub(super) fn new() -> anyhow::Result<Self> {
        let domain = "east.lab".parse()?;
        let authority = Authority::create(&domain, Lifetime::starting_at(SystemTime::now(), 9 * DAY))?;
        Ok(Self { ours: ours(&authority)?, stock: stock(&authority)? })
    }

    pub(super) fn ours(&self) -> anyhow::Result<()> {
        handshake(&self.ours.0, &self.ours.1)
    }

    pub(super) fn stock(&self) -> anyhow::Result<()> {
        handshake(&self.stock.0, &self.stock.1)
    }
}

fn ours(authority: &Authority) -> anyhow::Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let key = PrivateKey::generate()?;
    let id = "spiffe://east.lab/ns/demo/sa/echo".parse()?;
    let chain =
        authority.issue(&verified_key(&key.csr()?.0)?, &id, Lifetime::starting_at(SystemTime::now(), DAY))?;
    let identity = SharedIdentity::new(Identity::new(chain, &key)?);
    let bundle = Bundle {
        trust_domain: authority.domain().clone(),
        authorities: vec![authority.bundle_authority()],
        sequence: 1,
        refresh_hint: 0,
    };
    let bundles = SharedBundles::new(BundleSet::from_bundles([&bundle]).0);
    let client = client_config(ClientTls {
        identity: Some(identity.clone()),
        server: Server::Bundles { bundles: bundles.clone(), authorize: Arc::new(Anyone) },
        alpn: Vec::new(),
    })?;
    let authorize = Arc::new(Anyone);
    let server = server_config(ServerTls {
        identity,
        bundles,
        clients: Clients::Required,
        authorize,
        alpn: Vec::new(),
    })?;
    Ok((client, server))
}

fn stock(authority: &Authority) -> anyhow::Result<(Arc<ClientConfig>, Arc<ServerConfig>)> {
    let key = KeyPair::generate()?;
    let signer = Issuer::from_ca_cert_der(authority.certificate(), KeyPair::from_pem(&authority.key_pem())?)?;
    let leaf = CertificateParams::new([NAME.to_owned()])?.signed_by(&key, &signer)?;
    let chain = vec![leaf.der().clone(), authority.certificate().clone()];
    let key = || PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone())?;
    let roots = Arc::new(roots);
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider()).build()?;
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain.clone(), key())?;
    client.resumption = Resumption::disabled();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key())?;
    server.send_tls13_tickets = 0;
    Ok((Arc::new(client), Arc::new(server)))
}

fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> anyhow::Result<()> {
    let mut client = ClientConnection::new(Arc::clone(client), ServerName::try_from(NAME)?)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut wire = Vec::new();
    for _turn in 0..4 {
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        let mut arrived = wire.as_slice();
        while !arrived.is_empty() {
            server.read_tls(&mut arrived)?;
            server.process_new_packets()?;
        }
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire)?;
        }
        let mut arrived = wire.as_slice();
        while !arrived.is_empty() {
            client.read_tls(&mut arrived)?;
            client.process_new_packets()?;
        }
        wire.clear();
    }
    ensure!(!client.is_handshaking() && !server.is_handshaking(), "the handshake did not end");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_handshake_end() {
        let sides = Sides::new().unwrap();
        sides.ours().unwrap();
        sides.stock().unwrap();
    }
}
