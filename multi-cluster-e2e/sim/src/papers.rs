//! The certificates of a run: one authority, a server's trust for each server, an agent's for each cluster.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use federation_model::{Bundle, ClusterId, ServerId, TrustDomain};
use federation_server::trust::Trust;
use federation_trust::csr::verified_key;
use federation_trust::{
    Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity, infra,
};

use crate::agent;

/// Longer than any run.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// By number.
const NAMES: [&str; 4] = ["east", "north", "south", "west"];

/// What everybody shows.
#[derive(Debug)]
pub struct Papers {
    /// Of each server.
    pub servers: Vec<Arc<Trust>>,
    /// Of each cluster's agents.
    pub clusters: Vec<(ClusterId, agent::Papers)>,
}

impl Papers {
    /// For so many servers and clusters.
    ///
    /// # Errors
    /// When cryptography fails.
    pub fn make(servers: usize, clusters: usize) -> anyhow::Result<Self> {
        let clusterset: TrustDomain = "lab".parse()?;
        let lifetime = Lifetime::starting_at(SystemTime::now(), LIFE);
        let authority = Authority::create(&clusterset, lifetime)?;
        let (cert, key) = (authority.cert_pem(), authority.key_pem());
        let trust = |id: usize| -> anyhow::Result<_> {
            let authority = Authority::load(&clusterset, &cert, &key)?;
            Ok(Arc::new(Trust::new(ServerId(u64::try_from(id)?), authority)?))
        };
        let servers: Result<Vec<_>, _> = (1..=servers).map(trust).collect();
        let bundle = Bundle {
            trust_domain: clusterset.clone(),
            authorities: vec![authority.bundle_authority()],
            sequence: 1,
            refresh_hint: 0,
        };
        let bundles = SharedBundles::new(BundleSet::from_bundles([&bundle]).0);
        let papers = |name: &&str| -> anyhow::Result<_> {
            let cluster: ClusterId = name.parse()?;
            let key = PrivateKey::generate()?;
            let csr = verified_key(&key.csr()?.0).context("our own request")?;
            let chain = authority.issue(&csr, &infra::agent_id(&clusterset, &cluster), lifetime)?;
            let identity = SharedIdentity::new(Identity::new(chain.clone(), &key)?);
            Ok((cluster, agent::Papers { chain: chain.into(), identity, bundles: bundles.clone() }))
        };
        let clusters: Result<Vec<_>, _> = NAMES.iter().take(clusters).map(papers).collect();
        Ok(Self { servers: servers?, clusters: clusters? })
    }
}
