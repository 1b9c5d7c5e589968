//! The configuration file: TOML, every key checked, every mistake told at once.

mod raw;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use agent_plan::VipView;
use federation_client::Servers;
use federation_kit::config::ConfigError;
use federation_kit::exit::{Exit, Failure};
use federation_kit::grpc::LocalAddr;
use federation_model::{ClusterId, Gateway, NetworkId, Region, TrustDomain, Zone};

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
    /// The directory of YAML.
    pub source: PathBuf,
    /// Where gateways and Envoys connect.
    pub local: LocalAddr,
    /// Where names are answered.
    pub dns: SocketAddr,
    /// Who answers other names.
    pub dns_upstream: Vec<SocketAddr>,
    /// Where operators look.
    pub http: SocketAddr,
    /// This cluster's gateways, as others dial them.
    pub gateways: Vec<Gateway>,
    /// How VIPs look here.
    pub vip_view: VipView,
    /// The CA of this cluster's domain, if it is given and not made: certificate and key, PEM.
    pub ca: Option<(PathBuf, PathBuf)>,
    /// The text as it was read, for `/config`. The file holds no secrets, only the paths of some.
    pub text: String,
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
    /// Reads and checks a file.
    ///
    /// # Errors
    /// All values that cannot be used at once; before that, the first mistake of the file as TOML.
    pub fn load(path: &Path) -> Result<Self, ConfigProblem> {
        let bytes = federation_kit::files::read_bounded(path, federation_kit::config::MAX_BYTES)
            .map_err(ConfigError::File)?;
        let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
        Self::parse(path, &text)
    }

    /// Checks a text; `path` is only for errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigProblem> {
        let raw: raw::Raw = federation_kit::config::parse(path, text)?;
        raw.check(text).map_err(|problems| ConfigProblem::Values { path: path.to_owned(), problems })
    }
}
