//! The clusterset's certificates: our own, issued here at start and renewed at half of its life, and the agents'.

use std::fmt;
use std::time::{Duration, SystemTime};

use federation_kit::exit::{Exit, Failure, OrExit, chain};
use federation_kit::files::read_bounded;
use federation_model::{Bundle, ClusterId, ServerId, TrustDomain};
use federation_trust::csr::{VerifiedCsr, verified_key};
use federation_trust::{
    Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity, TrustError, infra,
};

use crate::config::Config;

/// Life of the certificates issued here.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How long to wait after a failed renewal.
const RETRY: Duration = Duration::from_secs(60);
/// How soon a clock that jumped ahead is noticed.
const CLOCK_CHECK: Duration = Duration::from_secs(3_600);
/// Largest PEM file that is read, in bytes.
const MAX_PEM: u64 = 256 * 1024;
/// `spiffe_refresh_hint` of the clusterset's bundle, in seconds.
const REFRESH_HINT: u32 = 300;

/// The authority of the clusterset, and who we are by it.
pub struct Trust {
    server: ServerId,
    authority: Authority,
    bundle: Bundle,
    identity: SharedIdentity,
    bundles: SharedBundles,
}

impl Trust {
    /// Reads the authority and issues our own identity.
    pub fn load(config: &Config) -> Result<Self, Failure> {
        let read = |path: &std::path::Path| -> Result<String, Failure> {
            String::from_utf8(read_bounded(path, MAX_PEM)?).or_exit(Exit::Usage)
        };
        let (cert, key) = (read(&config.ca.cert)?, read(&config.ca.key)?);
        let authority = Authority::load(&config.clusterset, &cert, &key).or_exit(Exit::Usage)?;
        Self::new(config.id, authority).or_exit(Exit::Usage)
    }

    /// Issues our own identity by `authority`.
    pub fn new(server: ServerId, authority: Authority) -> Result<Self, TrustError> {
        let bundle = Bundle {
            trust_domain: authority.domain().clone(),
            authorities: vec![authority.bundle_authority()],
            sequence: 1,
            refresh_hint: REFRESH_HINT,
        };
        let (set, problems) = BundleSet::from_bundles([&bundle]);
        for (domain, problem) in problems {
            tracing::error!(%domain, error = %chain(&problem), "the authority's own certificate is not usable");
        }
        let this = Self {
            server,
            authority,
            bundle,
            identity: SharedIdentity::empty(),
            bundles: SharedBundles::new(set),
        };
        this.renew_own()?;
        Ok(this)
    }

    /// The clusterset.
    pub fn clusterset(&self) -> &TrustDomain {
        self.authority.domain()
    }

    /// What the API and Raft ports show.
    pub fn identity(&self) -> SharedIdentity {
        self.identity.clone()
    }

    /// By whom servers, agents and operators are believed: the clusterset's authority and nobody else.
    pub fn bundles(&self) -> SharedBundles {
        self.bundles.clone()
    }

    /// The clusterset's bundle, for agents.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// SHA-256 of the authority's certificate, for join tokens.
    pub fn ca_sha256(&self) -> [u8; 32] {
        self.authority.fingerprint()
    }

    /// A certificate for the agent of `cluster`, leaf first. Deciding that the requester is that agent is the caller's
    /// duty.
    pub fn issue_agent(&self, cluster: &ClusterId, csr: &VerifiedCsr) -> Result<Vec<Vec<u8>>, TrustError> {
        let id = infra::agent_id(self.clusterset(), cluster);
        let chain = self.authority.issue(csr, &id, Lifetime::starting_at(SystemTime::now(), LIFE))?;
        Ok(chain.into_iter().map(|certificate| certificate.to_vec()).collect())
    }

    fn renew_own(&self) -> Result<(), TrustError> {
        let key = PrivateKey::generate()?;
        let csr = verified_key(&key.csr()?.0).map_err(TrustError::Csr)?;
        let id = infra::server_id(self.clusterset(), self.server);
        let chain = self.authority.issue(&csr, &id, Lifetime::starting_at(SystemTime::now(), LIFE))?;
        self.identity.set(Identity::new(chain, &key)?);
        Ok(())
    }

    /// Renews our own identity at half of its life, for ever.
    pub async fn keep_renewed(&self) {
        loop {
            let due = self.identity.get().map(|identity| identity.renew_at());
            let wait = due.and_then(|due| due.duration_since(SystemTime::now()).ok()).unwrap_or_default();
            tokio::time::sleep(wait.min(CLOCK_CHECK)).await;
            if due.is_some_and(|due| due > SystemTime::now()) {
                continue;
            }
            match self.renew_own() {
                Ok(()) => tracing::info!("own certificate renewed"),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "own certificate could not be renewed");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("server", &self.server).field("clusterset", self.clusterset()).finish()
    }
}
