//! What the agent keeps in its cluster's API server for itself: its papers, and the CA that gateways know it by.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent_kubernetes::connect::{ClientOptions, connect};
use agent_kubernetes::permissions::IDENTITY_SECRET;
use agent_kubernetes::secrets::{SecretError, SecretStore};
use agent_kubernetes::{Client, config_map};
use federation_kit::backoff::Backoff;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::{Exit, Failure, OrExit, chain};
use futures::FutureExt;
use futures::future::BoxFuture;
use rand::Rng;

use crate::config::KubernetesConfig;
use crate::local::DataDir;
use crate::local::papers::{KeepPapers, Kept, Papers, PapersError};

/// How long the start waits for the papers, where the data directory has some to go on with.
const LOOK: Duration = Duration::from_secs(5);
/// How often the published CA is looked at again: somebody may have removed it.
const LOOK_AGAIN: Duration = Duration::from_secs(300);
/// The key of the ConfigMap.
const CA_KEY: &str = "ca.pem";

/// The connection, and our own namespace.
#[derive(Clone)]
pub(super) struct ApiServer {
    client: Client,
    namespace: String,
    papers: Arc<SecretPapers>,
}

impl ApiServer {
    /// Makes the client. The API server is not asked for anything.
    pub(super) async fn connect(config: &KubernetesConfig) -> Result<Self, Failure> {
        let options =
            ClientOptions { kubeconfig: config.kubeconfig.clone(), context: config.context.clone() };
        let client = connect(&options).await.or_exit(Exit::Usage)?;
        let namespace = config.namespace.to_string();
        let store = SecretStore::new(client.clone(), namespace.clone(), IDENTITY_SECRET);
        Ok(Self { client, namespace, papers: Arc::new(SecretPapers(store)) })
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where the papers are kept.
    pub(super) fn papers(&self) -> Arc<dyn KeepPapers> {
        Arc::clone(&self.papers) as Arc<dyn KeepPapers>
    }

    /// The papers of whoever was here before. While they cannot be fetched, a directory that has some is used as it is;
    /// an empty one waits: to begin anew would cut off everything that trusts the papers. An API server that forbids us
    /// to look is not waited for.
    pub(super) async fn kept(&self, data_dir: &Path) -> Kept {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        loop {
            let looked = tokio::time::timeout(LOOK, self.papers.load()).await;
            let problem = match looked {
                Ok(Ok(papers)) => return Kept::Known(papers),
                Ok(Err(error @ PapersError::Denied(_))) => {
                    tracing::error!(error = %chain(&error), "going on without the papers of an earlier pod");
                    return Kept::Unknown;
                }
                Ok(Err(error)) => chain(&error).to_string(),
                Err(_) => format!("no answer within {} s", LOOK.as_secs()),
            };
            if DataDir::is_used(data_dir) {
                tracing::warn!(
                    problem,
                    "cannot fetch the papers of this agent: those in the data directory count"
                );
                return Kept::Unknown;
            }
            tracing::error!(
                problem,
                "cannot fetch the papers of an earlier pod, and there are none here: waiting"
            );
            backoff.wait().await;
        }
    }

    /// Publishes the CA of the cluster's domain, and looks now and then whether it is still there, until the drain.
    pub(super) async fn publish_ca(self, name: String, pem: String, drain: DrainWatcher) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        loop {
            let published = config_map::publish(&self.client, &self.namespace, &name, CA_KEY, &pem).await;
            let wait = match published {
                Ok(written) => {
                    if written {
                        tracing::info!(
                            config_map = name,
                            "published the CA that gateways know this agent by"
                        );
                    }
                    backoff.reset();
                    LOOK_AGAIN.mul_f64(rand::rng().random_range(0.8..=1.2))
                }
                Err(error) => {
                    tracing::error!(error = %chain(&error), config_map = name, "CA for gateways not published");
                    backoff.next_delay()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = drain.wait() => return,
            }
        }
    }
}

impl fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiServer").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// Papers in a Secret, one key each.
#[derive(Debug)]
struct SecretPapers(SecretStore);

impl KeepPapers for SecretPapers {
    fn load(&self) -> BoxFuture<'_, Result<Option<Papers>, PapersError>> {
        async { self.0.load().await.map_err(papers_error) }.boxed()
    }

    fn save<'a>(&'a self, papers: &'a Papers) -> BoxFuture<'a, Result<(), PapersError>> {
        async { self.0.save(papers).await.map_err(papers_error) }.boxed()
    }
}

fn papers_error(error: SecretError) -> PapersError {
    match &error {
        SecretError::Refused { status: 401 | 403, .. } => PapersError::Denied(Box::new(error)),
        _ => PapersError::Failed(Box::new(error)),
    }
}
