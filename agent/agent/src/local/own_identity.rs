//! The agent's own leaf in its cluster's domain: what gateways that dial it over TLS know it by.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_kit::backoff::Backoff;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::chain;
use federation_model::{SpiffeId, TrustDomain};
use federation_trust::SharedIdentity;
use rand::Rng;

use crate::control::{IssueError, IssueIdentity};

/// An identity of our own issuing, and its renewal. Each renewal has a fresh key.
#[derive(Debug)]
pub struct OwnIdentity {
    issuer: Arc<dyn IssueIdentity>,
    id: SpiffeId,
    shared: SharedIdentity,
}

/// `spiffe://<cluster's domain>/isthmus/agent`.
pub fn agent_of(domain: &TrustDomain) -> SpiffeId {
    let text = format!("spiffe://{domain}/isthmus/agent");
    text.parse().unwrap_or_else(|_| unreachable!("a trust domain and a fixed path are a SPIFFE id"))
}

impl OwnIdentity {
    /// Issues the first one.
    ///
    /// # Errors
    /// If the authority cannot sign, because it ran out.
    pub fn issue(issuer: Arc<dyn IssueIdentity>) -> Result<Self, IssueError> {
        let id = agent_of(&issuer.trust_domain());
        let shared = SharedIdentity::new(issuer.identity_for(&id)?);
        Ok(Self { issuer, id, shared })
    }

    /// What a listener serves with; always the newest.
    pub fn shared(&self) -> SharedIdentity {
        self.shared.clone()
    }

    /// Renews at half of the life, with jitter, until the drain.
    pub async fn run(self, drain: DrainWatcher) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.until_renewal()) => {}
                () = drain.wait() => return,
            }
            match self.issuer.identity_for(&self.id) {
                Ok(identity) => {
                    backoff.reset();
                    self.shared.set(identity);
                    tracing::info!(id = %self.id, "own certificate renewed");
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), id = %self.id, "own certificate not renewed, will try again");
                    tokio::select! {
                        () = backoff.wait() => {}
                        () = drain.wait() => return,
                    }
                }
            }
        }
    }

    /// Up to a tenth earlier than half-life, and never at once.
    fn until_renewal(&self) -> Duration {
        let at = self.shared.get().map_or(SystemTime::UNIX_EPOCH, |identity| identity.renew_at());
        let left = at.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
        left.mul_f64(rand::rng().random_range(0.9..=1.0)).max(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use federation_trust::{Authority, Lifetime};

    use super::*;
    use crate::control::LocalAuthority;

    #[tokio::test]
    async fn it_is_issued_at_once_and_again_at_half_of_its_life() {
        let domain: TrustDomain = "east.lab".parse().unwrap();
        let long = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(100_000));
        let authority = Arc::new(Authority::create(&domain, long).unwrap());
        // Dated back by a minute, so that half of this life is over: it is renewed as soon as it may be.
        let issuer = Arc::new(LocalAuthority::new(authority, Duration::from_secs(50)));
        let own = OwnIdentity::issue(issuer).unwrap();
        let shared = own.shared();
        let first = shared.get().unwrap();
        assert_eq!(first.id().to_string(), "spiffe://east.lab/isthmus/agent");
        let (trigger, drain) = federation_kit::drain::channel();
        let task = tokio::spawn(own.run(drain));
        let renewed = async || shared.get().filter(|now| now.chain() != first.chain());
        federation_kit::testing::eventually(Duration::from_secs(60), renewed).await.unwrap();
        trigger.drain(Duration::from_secs(60)).await;
        task.await.unwrap();
    }
}
