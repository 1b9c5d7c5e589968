//! Staying a member: a new certificate before the old one runs out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use federation_api::federation as wire;
use federation_kit::backoff::Backoff;
use federation_model::{Bundle, TrustDomain};
use federation_trust::{BundleSet, Identity, PrivateKey, SharedBundles, SharedIdentity};
use rand::Rng;
use tokio::sync::watch;

use crate::dial::{Dialer, call, federation, first_answer};
use crate::error::ClientError;
use crate::join::{bundle, issued};

/// What a renewal brought. Whoever keeps the identity on disk writes this there.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The new certificate and its new key.
    pub identity: Identity,
    /// The authorities of the clusterset's domain, of now.
    pub bundle: Bundle,
    /// Where the servers are, of now.
    pub servers: Vec<String>,
}

/// Keeps the identity of a process fresh: at half of its life, with jitter, with a fresh key each time.
#[derive(Debug)]
pub(crate) struct Renewal {
    pub(crate) dialer: Dialer,
    pub(crate) identity: SharedIdentity,
    pub(crate) bundles: SharedBundles,
    pub(crate) clusterset: TrustDomain,
    pub(crate) renewed: watch::Sender<Option<Arc<Renewed>>>,
}

impl Renewal {
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
        while let Some(identity) = self.identity.get() {
            tokio::time::sleep(until_renewal(&identity)).await;
            match self.renew(&identity).await {
                Ok(renewed) => {
                    backoff.reset();
                    tracing::info!(id = %renewed.identity.id(), "identity renewed");
                    self.renewed.send_replace(Some(Arc::new(renewed)));
                }
                Err(error) => {
                    tracing::warn!(error = error.chain(), "identity not renewed, will try again");
                    backoff.wait().await;
                }
            }
        }
    }

    async fn renew(&self, old: &Identity) -> Result<Renewed, ClientError> {
        let key = PrivateKey::generate()?;
        let (csr, key) = (&key.csr()?.0, &key);
        let timing = &self.dialer.timing;
        let renewed = first_answer(&self.dialer.servers.get(), |server| async move {
            let mut client = federation(self.dialer.channels.open(timing, &server));
            let request = wire::RenewRequest { csr: csr.clone() };
            let answer = call(&server, timing.answer, client.renew(request)).await?;
            let bundle = bundle(&server, answer.bundle, &self.clusterset)?;
            let identity = issued(&server, answer.chain, key, old.id(), &bundle)?;
            Ok(Renewed { identity, bundle, servers: answer.servers })
        })
        .await?;
        // Checked above against the new bundle: both are replaced together, and neither before the check.
        self.bundles.set(BundleSet::from_bundles([&renewed.bundle]).0);
        self.identity.set(renewed.identity.clone());
        self.dialer.servers.set(renewed.servers.clone())?;
        Ok(renewed)
    }
}

/// Up to a tenth of the remaining life earlier than half-life, so that a fleet that joined together does not renew
/// together. Never at once: an issuer whose certificates are born old must not be asked without pause.
fn until_renewal(identity: &Identity) -> Duration {
    let left = identity.renew_at().duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
    left.mul_f64(rand::rng().random_range(0.9..=1.0)).max(Duration::from_secs(1))
}
