//! Real TLS handshakes between the configurations of this crate, in memory, down to the alert that the other side sees.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod support;

use std::sync::Arc;
use std::time::SystemTime;

use federation_trust::authorize::{Anyone, FederationServers, Nobody, Only};
use federation_trust::tls::{ClientTls, Clients, Server, ServerTls, client_config, server_config};
use federation_trust::{Authorize, PeerError, SharedBundles, SharedIdentity, verify};
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, Error, HandshakeKind, ServerConfig,
    ServerConnection, SignatureScheme,
};
use rustls_pki_types::ServerName;
use sha2::{Digest, Sha256};
use support::{Maker, at, bundle, bundles, unedited};

const SERVER: &str = "spiffe://lab/isthmus/server/1";
const CLIENT: &str = "spiffe://east.lab/ns/demo/sa/echo";

/// Two trust domains that know each other, and one that nobody knows.
struct World {
    lab: Maker,
    east: Maker,
    stranger: Maker,
    bundles: SharedBundles,
}

impl World {
    fn new() -> Self {
        let now = now();
        let lab = Maker::root("lab", now, unedited);
        let east = Maker::root("east", now, unedited);
        let stranger = Maker::root("east", now, unedited);
        let known = bundles(&[bundle("lab", &[&lab]), bundle("east.lab", &[&east])]);
        Self { lab, east, stranger, bundles: SharedBundles::new(known) }
    }

    fn server(&self, clients: Clients, authorize: impl Authorize + 'static) -> Arc<ServerConfig> {
        self.server_as(SharedIdentity::new(self.lab.identity(SERVER)), clients, authorize)
    }

    fn server_as(
        &self,
        identity: SharedIdentity,
        clients: Clients,
        authorize: impl Authorize + 'static,
    ) -> Arc<ServerConfig> {
        let bundles = self.bundles.clone();
        let authorize = Arc::new(authorize);
        server_config(ServerTls { identity, bundles, clients, authorize, alpn: vec![b"h2".to_vec()] })
            .unwrap()
    }

    fn client(&self, identity: Option<SharedIdentity>) -> Arc<ClientConfig> {
        let server = Server::Bundles {
            bundles: self.bundles.clone(),
            authorize: Arc::new(FederationServers { clusterset: Some("lab".parse().unwrap()) }),
        };
        client_config(ClientTls { identity, server, alpn: vec![b"h2".to_vec()] }).unwrap()
    }

    fn caller(&self) -> Option<SharedIdentity> {
        Some(SharedIdentity::new(self.east.identity(CLIENT)))
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// What each side made of the handshake, once nothing more is said.
struct Outcome {
    client: Result<(), Error>,
    server: Result<(), Error>,
    client_kind: Option<HandshakeKind>,
    seen_by_client: Option<String>,
    seen_by_server: Option<String>,
}

impl Outcome {
    fn alert_to_client(&self) -> Option<AlertDescription> {
        match &self.client {
            Err(Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }

    fn alert_to_server(&self) -> Option<AlertDescription> {
        match &self.server {
            Err(Error::AlertReceived(alert)) => Some(*alert),
            _ => None,
        }
    }

    fn assert_success(&self) {
        assert_eq!((&self.client, &self.server), (&Ok(()), &Ok(())));
    }
}

fn shake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Outcome {
    let name = ServerName::try_from("ignored.example").unwrap();
    let mut client = Connection::from(ClientConnection::new(Arc::clone(client), name).unwrap());
    let mut server = Connection::from(ServerConnection::new(Arc::clone(server)).unwrap());
    let (mut client_says, mut server_says) = (Ok(()), Ok(()));
    while carry(&mut client, &mut server, &mut server_says)
        | carry(&mut server, &mut client, &mut client_says)
    {}
    let seen = |side: &Connection| {
        let chain = side.peer_certificates()?;
        Some(verify::peer_id(chain).unwrap().to_string())
    };
    if client_says.is_ok() && server_says.is_ok() {
        assert_eq!((client.is_handshaking(), server.is_handshaking()), (false, false));
        assert_eq!(client.alpn_protocol(), Some(&b"h2"[..]));
    }
    Outcome {
        client_kind: client.handshake_kind(),
        seen_by_client: seen(&client),
        seen_by_server: seen(&server),
        client: client_says,
        server: server_says,
    }
}

/// Moves what `from` has to say, and tells whether there was any.
fn carry(from: &mut Connection, to: &mut Connection, says: &mut Result<(), Error>) -> bool {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() && says.is_ok() {
        to.read_tls(&mut rest).unwrap();
        *says = to.process_new_packets().map(drop);
    }
    !wire.is_empty()
}

#[test]
fn two_sides_that_believe_each_other_talk() {
    let world = World::new();
    let outcome = shake(&world.client(world.caller()), &world.server(Clients::Required, Anyone));
    outcome.assert_success();
    assert_eq!(outcome.seen_by_client.as_deref(), Some(SERVER));
    assert_eq!(outcome.seen_by_server.as_deref(), Some(CLIENT));
}

#[test]
fn a_client_without_a_certificate_hears_certificate_required() {
    let world = World::new();
    for identity in [None, Some(SharedIdentity::empty())] {
        let outcome = shake(&world.client(identity.clone()), &world.server(Clients::Required, Anyone));
        assert_eq!(outcome.alert_to_client(), Some(AlertDescription::CertificateRequired));
        assert_eq!(PeerError::reason_of_tls(&outcome.server.unwrap_err()), Some("no_certificate"));

        let outcome = shake(&world.client(identity), &world.server(Clients::Optional, Anyone));
        outcome.assert_success();
        assert_eq!(outcome.seen_by_server, None);
    }
}

#[test]
fn a_client_of_a_foreign_authority_hears_unknown_ca_whatever_is_allowed() {
    let world = World::new();
    let foreign = || Some(SharedIdentity::new(world.stranger.identity(CLIENT)));
    let unknown = || Some(SharedIdentity::new(world.stranger.identity("spiffe://nowhere/x")));
    for clients in [Clients::Required, Clients::Optional] {
        for identity in [foreign(), unknown()] {
            for server in [world.server(clients, Anyone), world.server(clients, Nobody)] {
                let outcome = shake(&world.client(identity.clone()), &server);
                assert_eq!(outcome.alert_to_client(), Some(AlertDescription::UnknownCA));
                assert_eq!(PeerError::reason_of_tls(&outcome.server.unwrap_err()), Some("unknown_issuer"));
            }
        }
    }
}

#[test]
fn a_client_that_is_not_allowed_hears_access_denied() {
    let world = World::new();
    let only_another = Only("spiffe://east.lab/ns/demo/sa/other".parse().unwrap());
    for server in [world.server(Clients::Required, Nobody), world.server(Clients::Optional, only_another)] {
        let outcome = shake(&world.client(world.caller()), &server);
        assert_eq!(outcome.alert_to_client(), Some(AlertDescription::AccessDenied));
        assert_eq!(PeerError::reason_of_tls(&outcome.server.unwrap_err()), Some("not_authorized"));
    }
}

#[test]
fn an_expired_client_hears_certificate_expired() {
    let world = World::new();
    let past = now() - 1;
    let (chain, key) = world.east.leaf(CLIENT, |p| p.not_after = at(past));
    let identity = SharedIdentity::new(federation_trust::Identity::new(chain, &key).unwrap());
    let outcome = shake(&world.client(Some(identity)), &world.server(Clients::Required, Anyone));
    assert_eq!(outcome.alert_to_client(), Some(AlertDescription::CertificateExpired));
    assert_eq!(PeerError::reason_of_tls(&outcome.server.unwrap_err()), Some("expired"));
}

#[test]
fn a_server_is_judged_by_its_own_domain_and_by_its_role() {
    let world = World::new();
    let cases = [
        // The authority of one domain signs a server of another.
        (world.east.identity(SERVER), AlertDescription::UnknownCA),
        (world.stranger.identity(CLIENT), AlertDescription::UnknownCA),
        // Believed, but not a server of this clusterset.
        (world.east.identity("spiffe://east.lab/isthmus/server/1"), AlertDescription::AccessDenied),
        (world.lab.identity("spiffe://lab/isthmus/agent/east"), AlertDescription::AccessDenied),
    ];
    for (identity, alert) in cases {
        let server = world.server_as(SharedIdentity::new(identity), Clients::Required, Anyone);
        let outcome = shake(&world.client(world.caller()), &server);
        assert_eq!(outcome.alert_to_server(), Some(alert));
    }
}

#[test]
fn a_server_without_an_identity_refuses_everybody() {
    let world = World::new();
    let server = world.server_as(SharedIdentity::empty(), Clients::Required, Anyone);
    let outcome = shake(&world.client(world.caller()), &server);
    assert!(outcome.client.is_err() && outcome.server.is_err());
}

#[test]
fn identities_and_bundles_are_swapped_under_a_standing_configuration() {
    let world = World::new();
    let identity = SharedIdentity::new(world.lab.identity(SERVER));
    let server = world.server_as(identity.clone(), Clients::Required, Anyone);
    let caller = SharedIdentity::new(world.east.identity(CLIENT));
    let client = world.client(Some(caller.clone()));
    shake(&client, &server).assert_success();

    identity.set(world.lab.identity("spiffe://lab/isthmus/server/2"));
    caller.set(world.east.identity("spiffe://east.lab/isthmus/gateway"));
    let outcome = shake(&client, &server);
    outcome.assert_success();
    assert_eq!(outcome.seen_by_client.as_deref(), Some("spiffe://lab/isthmus/server/2"));
    assert_eq!(outcome.seen_by_server.as_deref(), Some("spiffe://east.lab/isthmus/gateway"));

    // The withdrawal of a domain's bundle cuts it off at the next handshake: nothing is resumed.
    world.bundles.set(bundles(&[bundle("lab", &[&world.lab])]));
    let outcome = shake(&client, &server);
    assert_eq!(outcome.alert_to_client(), Some(AlertDescription::UnknownCA));
}

#[test]
fn no_session_is_ever_resumed() {
    let world = World::new();
    let (client, server) = (world.client(world.caller()), world.server(Clients::Required, Anyone));
    for _ in 0..3 {
        let outcome = shake(&client, &server);
        outcome.assert_success();
        assert_eq!(outcome.client_kind, Some(HandshakeKind::Full));
    }
}

#[test]
fn a_joiner_that_knows_only_the_hash_believes_that_server_and_no_other() {
    let world = World::new();
    let pinned = |ca_sha256: [u8; 32]| {
        let server =
            Server::Pinned { ca_sha256, authorize: Arc::new(FederationServers { clusterset: None }) };
        client_config(ClientTls { identity: None, server, alpn: vec![b"h2".to_vec()] }).unwrap()
    };
    let lab = pinned(Sha256::digest(&world.lab.certificate).into());
    let server = world.server(Clients::Optional, Anyone);
    let outcome = shake(&lab, &server);
    outcome.assert_success();
    assert_eq!(outcome.seen_by_client.as_deref(), Some(SERVER));

    let other = pinned(Sha256::digest(&world.east.certificate).into());
    assert_eq!(shake(&other, &server).alert_to_server(), Some(AlertDescription::UnknownCA));
    let agent = SharedIdentity::new(world.lab.identity("spiffe://lab/isthmus/agent/east"));
    let impostor = world.server_as(agent, Clients::Optional, Anyone);
    assert_eq!(shake(&lab, &impostor).alert_to_server(), Some(AlertDescription::AccessDenied));
}

/// Shows whatever certificate it was given, with a key that is not its own.
#[derive(Debug)]
struct Thief(Arc<CertifiedKey>);

impl ResolvesClientCert for Thief {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_copied_certificate_without_its_key_does_not_tell_who_may_come_in() {
    let world = World::new();
    let own = world.east.identity("spiffe://east.lab/ns/demo/sa/thief");
    let chain = world.east.identity(CLIENT).chain().to_vec();
    let stolen = CertifiedKey::new(chain, Arc::clone(&own.certified_key().key));
    let mut client = ClientConfig::clone(&world.client(world.caller()));
    client.client_auth_cert_resolver = Arc::new(Thief(Arc::new(stolen)));
    let client = Arc::new(client);

    let open = shake(&client, &world.server(Clients::Required, Anyone));
    let shut = shake(&client, &world.server(Clients::Required, Nobody));
    assert_eq!(open.alert_to_client(), Some(AlertDescription::DecryptError));
    assert_eq!(shut.alert_to_client(), open.alert_to_client());
    assert_eq!(shut.server, open.server);
}
