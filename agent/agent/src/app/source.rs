//! Whichever source the configuration names.

use std::sync::Arc;

use agent_kubernetes::source::{Feeds, KubernetesSource, LocalGateways, SourceOptions, SourceStatus};
use agent_plan::mcs::Observed;
use federation_kit::drain::DrainWatcher;
use federation_kit::exit::{Exit, Failure, OrExit};
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use super::api_server::ApiServer;
use crate::config::{Config, SourceConfig};
use crate::local::DataDir;
use crate::source::SourceState;
use crate::source::files::FilesSource;

/// A source, not yet reading.
#[derive(Debug)]
pub(super) enum Source {
    /// A directory.
    Files(FilesSource),
    /// An API server.
    Kubernetes(Box<KubernetesSource>),
}

/// What a source says. The last two only an API server does.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) state: watch::Receiver<Arc<SourceState>>,
    pub(super) cluster: Option<ClusterSaid>,
}

/// What an API server says besides the objects that this cluster exports.
#[derive(Debug, Clone)]
pub(super) struct ClusterSaid {
    pub(super) observed: watch::Receiver<Arc<Observed>>,
    pub(super) gateways: watch::Receiver<Arc<LocalGateways>>,
    pub(super) status: SourceStatus,
}

impl Source {
    /// The source that `config` names. `api` is there if that is an API server.
    pub(super) fn open(
        config: &Config,
        api: Option<&ApiServer>,
        data: &DataDir,
        registry: &mut Registry,
    ) -> Result<(Self, Said), Failure> {
        match (&config.source, api) {
            (SourceConfig::Kubernetes(kubernetes), Some(api)) => {
                let options = SourceOptions {
                    gateway_service: Some(kubernetes.gateway_service.clone()),
                    snapshot: data.file("objects.snapshot"),
                };
                let (source, feeds) =
                    KubernetesSource::open(api.client(), options, registry).or_exit(Exit::Io)?;
                let Feeds { state, observed, gateways } = feeds;
                let cluster = Some(ClusterSaid { observed, gateways, status: source.status() });
                Ok((Self::Kubernetes(Box::new(source)), Said { state, cluster }))
            }
            (SourceConfig::Files(directory), _) => {
                let (source, state) = FilesSource::open(directory).or_exit(Exit::Io)?;
                Ok((Self::Files(source), Said { state, cluster: None }))
            }
            (SourceConfig::Kubernetes(_), None) => {
                Err(Failure::new(Exit::Internal, "there is no connection to the API server"))
            }
        }
    }

    /// Reads until the drain.
    pub(super) async fn run(self, drain: DrainWatcher) {
        match self {
            Self::Files(source) => source.run(drain).await,
            Self::Kubernetes(source) => source.run(drain).await,
        }
    }
}
