//! The configuration file: TOML, every key checked, every mistake told at once.
//!
//! Reading order: [`Config`] → [`kubernetes`] → [`environment`] (what a pod knows of itself) → `raw` (the
//! file as it is written).

pub mod environment;
pub mod kubernetes;
mod problems;
mod raw;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use agent_plan::VipView;
use federation_client::Servers;
use federation_kit::config::ConfigError;
use federation_kit::exit::{Exit, Failure};
use federation_kit::grpc::LocalAddr;
use federation_model::{ClusterId, Gateway, IpFamily, NetworkId, Region, TrustDomain, Zone};

pub use environment::Environment;
pub use kubernetes::{AccountName, ControlConfig, KubernetesConfig};

/// A configuration that holds together.
#[derive(Debug, Clone)]
pub struct Config {
    /// This cluster.
    pub cluster: ClusterId,
    /// The clusterset that it is in, which is also the trust domain of the control plane.
    pub clusterset: TrustDomain,
    /// The domain of this cluster's workloads and gateways.
    pub trust_domain: TrustDomain,
    /// The network of its endpoints.
    pub network: NetworkId,
    /// Its region.
    pub region: Option<Region>,
    /// Its zone, where it has just one.
    pub zone: Option<Zone>,
    /// Where the agent keeps what must survive it.
    pub data_dir: PathBuf,
    /// The federation's servers, until they name themselves.
    pub servers: Servers,
    /// Where the join token is. Not needed any more once joined.
    pub token_file: Option<PathBuf>,
    /// Where the cluster's objects are read.
    pub source: SourceConfig,
    /// Where gateways and Envoys connect.
    pub local: LocalAddr,
    /// Where names are answered.
    pub dns: SocketAddr,
    /// Who answers other names.
    pub dns_upstream: Vec<SocketAddr>,
    /// Where operators look.
    pub http: SocketAddr,
    /// This cluster's gateways, as others dial them. Empty on Kubernetes: those that the gateways' Service says.
    pub gateways: Vec<Gateway>,
    /// Families that this cluster's pods use, best first; never empty.
    pub families: Vec<IpFamily>,
    /// How VIPs look here.
    pub vip_view: VipView,
    /// The CA of this cluster's domain, if it is given and not made: certificate and key, PEM.
    pub ca: Option<(PathBuf, PathBuf)>,
    /// The text as it was read, for `/config`. The file holds no secrets, only the paths of some.
    pub text: String,
}

/// Where the cluster's objects are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceConfig {
    /// In a directory of YAML.
    Files(PathBuf),
    /// From the cluster's API server.
    Kubernetes(Box<KubernetesConfig>),
}

impl fmt::Display for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(directory) => write!(f, "{}", directory.display()),
            Self::Kubernetes(_) => f.write_str("kubernetes"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// The file cannot be read, is no TOML, or has an unknown key or a value of the wrong type.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// Values that cannot be used.
    #[error("{}: {}", path.display(), problems.join("; "))]
    Values {
        /// The file.
        path: PathBuf,
        /// Each with its key.
        problems: Vec<String>,
    },
}

impl From<ConfigProblem> for Failure {
    fn from(problem: ConfigProblem) -> Self {
        Self::new(Exit::Usage, problem)
    }
}

impl Config {
    /// Reads and checks a file, in the environment of this process.
    ///
    /// # Errors
    /// All values that cannot be used at once; before that, the first mistake of the file as TOML.
    pub fn load(path: &Path) -> Result<Self, ConfigProblem> {
        let bytes = federation_kit::files::read_bounded(path, federation_kit::config::MAX_BYTES)
            .map_err(ConfigError::File)?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
        Self::parse_in(path, &text, &Environment::of_process())
    }

    /// Checks a text as outside any pod; `path` is only for errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigProblem> {
        Self::parse_in(path, text, &Environment::default())
    }

    /// Checks a text in an environment; `path` is only for errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse_in(path: &Path, text: &str, environment: &Environment) -> Result<Self, ConfigProblem> {
        let raw: raw::Raw = federation_kit::config::parse(path, text)?;
        raw.check(text, environment)
            .map_err(|problems| ConfigProblem::Values { path: path.to_owned(), problems })
    }

    /// The part that concerns Kubernetes, if that is the source.
    pub fn kubernetes(&self) -> Option<&KubernetesConfig> {
        match &self.source {
            SourceConfig::Kubernetes(config) => Some(config),
            SourceConfig::Files(_) => None,
        }
    }
}
