//! The gateway's certificate: asked for, judged by ourselves, kept, and renewed at half of its life.

use std::time::{Duration, SystemTime};

use federation_api::gateway as wire;
use federation_kit::backoff::Backoff;
use federation_kit::files::FileError;
use federation_model::spiffe_id::SpiffeId;
use federation_model::trust_domain::TrustDomain;
use federation_trust::{Identity, PeerError, PrivateKey, SharedBundles, TrustError, infra};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::time::Instant;

use super::link::Control;

/// Most certificates in a chain that is taken.
const MAX_CHAIN: usize = 8;
/// Delays between attempts that fail.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));
/// The clock of the wall is asked again at least so often: it may be set, and a sleep does not notice.
const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// A key or a request could not be made, or the chain does not fit the key.
    #[error("certificate cannot be used")]
    Trust(#[from] TrustError),
    /// The agent did not sign.
    #[error("agent did not sign the request ({}): {}", .0.code(), .0.message())]
    Agent(tonic::Status),
    /// The chain is too long.
    #[error("agent answered with {0} certificates, more than {MAX_CHAIN}")]
    TooMany(usize),
    /// The certificate is another's.
    #[error("certificate names {0}, not the gateway of {1}")]
    Name(SpiffeId, TrustDomain),
    /// Our own bundle does not vouch for it, so no peer would accept it.
    #[error("certificate would not be believed by peers")]
    NotBelieved(#[source] PeerError),
    /// It could not be kept.
    #[error("certificate cannot be kept")]
    Store(#[from] FileError),
}

/// When to ask next.
#[derive(Debug)]
pub struct Schedule {
    backoff: Backoff,
    /// Set after a failure.
    not_before: Option<Instant>,
    /// Spreads the renewals of gateways that began together: 0 to 1.
    jitter: f64,
}

impl Schedule {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self { backoff: Backoff::new(RETRY.0, RETRY.1), not_before: None, jitter: rand::random() }
    }

    /// A new certificate is in use.
    pub fn succeeded(&mut self) {
        self.backoff.reset();
        self.not_before = None;
        self.jitter = rand::random();
    }

    /// It did not work.
    pub fn failed(&mut self) {
        self.not_before = Some(Instant::now() + self.backoff.next_delay());
    }

    /// When to look at the certificate again.
    pub fn next(&self, identity: Option<&Identity>, domain: &TrustDomain) -> Instant {
        let wait = self.wait(identity, domain, SystemTime::now());
        let due = Instant::now() + wait.min(LOOK_AGAIN);
        self.not_before.map_or(due, |earliest| due.max(earliest))
    }

    /// Whether to ask now.
    pub fn is_due(&self, identity: Option<&Identity>, domain: &TrustDomain) -> bool {
        self.not_before.is_none_or(|earliest| earliest <= Instant::now())
            && self.wait(identity, domain, SystemTime::now()).is_zero()
    }

    fn wait(&self, identity: Option<&Identity>, domain: &TrustDomain, now: SystemTime) -> Duration {
        let Some(identity) = identity.filter(|id| id.id() == &infra::gateway_id(domain)) else {
            return Duration::ZERO;
        };
        let half = identity.renew_at().duration_since(identity.not_before()).unwrap_or_default();
        let due = identity.renew_at() + half.mul_f64(self.jitter / 10.0);
        due.duration_since(now).unwrap_or_default()
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

/// Has a new key signed. The key is made here and never leaves.
pub(super) async fn issue(
    client: &mut Control,
    domain: &TrustDomain,
    bundles: &SharedBundles,
) -> Result<Identity, RenewalError> {
    let key = PrivateKey::generate()?;
    let response = client.issue(wire::IssueRequest { csr: key.csr()?.0 }).await;
    let response = response.map_err(RenewalError::Agent)?;
    let chain = response.into_inner().chain;
    if chain.len() > MAX_CHAIN {
        return Err(RenewalError::TooMany(chain.len()));
    }
    let identity = Identity::new(chain.into_iter().map(CertificateDer::from).collect(), &key)?;
    if identity.id() != &infra::gateway_id(domain) {
        return Err(RenewalError::Name(identity.id().clone(), domain.clone()));
    }
    let bundles = bundles.load();
    // A cluster that has just joined may have a gateway before its own bundle has come round.
    if bundles.get(domain).is_some() {
        identity.verify(&bundles, UnixTime::now()).map_err(RenewalError::NotBelieved)?;
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use federation_trust::{Authority, Lifetime, csr};

    use super::*;

    const LIFE: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_certificate_is_renewed_at_half_of_its_life_and_at_once_if_it_is_none_of_ours() {
        let now = SystemTime::now();
        let domain: TrustDomain = "east.lab".parse().unwrap();
        let authority = Authority::create(&domain, Lifetime::starting_at(now, 24 * LIFE)).unwrap();
        let key = PrivateKey::generate().unwrap();
        let request = csr::verified_key(&key.csr().unwrap().0).unwrap();
        let chain = authority.issue(&request, &infra::gateway_id(&domain), Lifetime::starting_at(now, LIFE));
        let identity = Identity::new(chain.unwrap(), &key).unwrap();

        let (life, begun) =
            (identity.not_after().duration_since(identity.not_before()).unwrap(), identity.not_before());
        for jitter in [0.0, 0.5, 1.0] {
            let schedule = Schedule { jitter, ..Schedule::new() };
            let wait = |id, after: f64| schedule.wait(id, &domain, begun + life.mul_f64(after));
            assert!(!wait(Some(&identity), 0.0).is_zero());
            assert!(!wait(Some(&identity), 0.49).is_zero(), "not before half");
            // The spread is at most a tenth of the half.
            assert!(wait(Some(&identity), 0.551).is_zero(), "and well before the end");
            assert!(wait(None, 0.0).is_zero());
            let elsewhere = "west.lab".parse().unwrap();
            assert!(schedule.wait(Some(&identity), &elsewhere, begun).is_zero(), "of another cluster");
        }
    }
}
