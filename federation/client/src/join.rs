//! Becoming a member: a one-time token and a key in, a certificate out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_api::federation as wire;
use federation_model::{Bundle, SpiffeId, TrustDomain};
use federation_trust::authorize::FederationServers;
use federation_trust::infra::agent_id;
use federation_trust::tls::{ClientTls, Server, client_config};
use federation_trust::{BundleSet, Identity, JoinTokenText, PrivateKey};
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use crate::dial::{alpn, call, channel, federation, first_answer};
use crate::error::ClientError;
use crate::servers::Servers;
use crate::timing::Timing;

/// What a member has.
#[derive(Debug, Clone)]
pub struct Joined {
    /// Its certificate and key, for the control plane.
    pub identity: Identity,
    /// The authorities of the clusterset's own domain.
    pub bundle: Bundle,
    /// The clusterset's domain, which is also its name.
    pub clusterset: TrustDomain,
    /// Where the servers are, by their own account.
    pub servers: Vec<String>,
}

/// Joins by the first server that answers. Nothing is known of it but the hash in the token: it must present the
/// authority with that hash, and a server's certificate issued by it.
///
/// A lost answer does no harm: the same key may use the same token again, so keep the key until this succeeds.
///
/// # Errors
/// A refusal is final ([`ClientError::is_final`]); anything else may be tried again.
pub async fn join(
    servers: &Servers,
    token: &JoinTokenText,
    key: &PrivateKey,
    timing: &Timing,
) -> Result<Joined, ClientError> {
    let server = Server::Pinned {
        ca_sha256: *token.ca_sha256(),
        authorize: Arc::new(FederationServers { clusterset: None }),
    };
    let tls = client_config(ClientTls { identity: None, server, alpn: alpn() })?;
    let (csr, tls) = (&key.csr()?.0, &tls);
    first_answer(&servers.get(), |server| async move {
        let request = wire::JoinRequest {
            token_secret: token.secret_text().to_string(),
            cluster: token.cluster().to_string(),
            csr: csr.clone(),
        };
        let mut client = federation(channel(timing, &server, tls));
        let answer = call(&server, timing.answer, client.join(request)).await?;
        accept(&server, answer, token, key)
    })
    .await
}

/// Believes the answer only as far as the token goes.
fn accept(
    server: &str,
    answer: wire::JoinResponse,
    token: &JoinTokenText,
    key: &PrivateKey,
) -> Result<Joined, ClientError> {
    let bad = |problem| ClientError::Protocol { server: server.to_owned(), problem };
    let clusterset: TrustDomain =
        answer.clusterset.parse().map_err(|_| bad("the clusterset has no valid name"))?;
    let bundle = bundle(server, answer.bundle, &clusterset)?;
    let pinned = |der: &[u8]| Sha256::digest(der).as_slice() == token.ca_sha256();
    if !bundle.authorities.iter().any(|authority| pinned(&authority.0)) {
        return Err(bad("the bundle does not hold the authority that the token names"));
    }
    let expected = agent_id(&clusterset, token.cluster());
    let identity = issued(server, answer.chain, key, &expected, &bundle)?;
    Servers::new(answer.servers.clone())?;
    Ok(Joined { identity, bundle, clusterset, servers: answer.servers })
}

/// The bundle of an answer, if it is the clusterset's.
pub(crate) fn bundle(
    server: &str,
    bundle: Option<wire::Bundle>,
    clusterset: &TrustDomain,
) -> Result<Bundle, ClientError> {
    let bad = |problem| ClientError::Protocol { server: server.to_owned(), problem };
    let bundle: Bundle = bundle
        .ok_or_else(|| bad("there is no bundle in the answer"))?
        .try_into()
        .map_err(|error| ClientError::Answer { server: server.to_owned(), error })?;
    if &bundle.trust_domain == clusterset { Ok(bundle) } else { Err(bad("the bundle is of another domain")) }
}

/// Puts an issued chain together with its key, and judges it as a peer would before it is used for anything.
pub(crate) fn issued(
    server: &str,
    chain: Vec<Vec<u8>>,
    key: &PrivateKey,
    expected: &SpiffeId,
    bundle: &Bundle,
) -> Result<Identity, ClientError> {
    let unusable = |problem: String| ClientError::Issued { server: server.to_owned(), problem };
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let identity = Identity::new(chain, key).map_err(|error| unusable(error.to_string()))?;
    if identity.id() != expected {
        return Err(unusable(format!("it names {} instead of {expected}", identity.id())));
    }
    let (bundles, _) = BundleSet::from_bundles([bundle]);
    identity.verify(&bundles, now()).map_err(|error| unusable(error.to_string()))?;
    Ok(identity)
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or(Duration::ZERO))
}
