//! From a message to a configuration that can be put in force, or the one reason why not.

use std::sync::Arc;

use federation_api::convert::ConvertError;
use federation_api::gateway as wire;
use federation_model::data_plane::GatewayConfig;
use federation_trust::BundleSet;

use crate::applied::Applied;

/// Longest version that is kept, in bytes: a hash in hex has 64.
const MAX_VERSION: usize = 128;

/// Why a configuration is refused whole. The last good one stays in force.
#[derive(Debug, thiserror::Error)]
pub enum Invalid {
    /// There is nothing to call it by.
    #[error("version has {0} bytes; 1 to {MAX_VERSION} are allowed")]
    Version(usize),
    /// A field is wrong.
    #[error("configuration is invalid")]
    Field(#[from] ConvertError),
}

/// A configuration that can be put in force.
#[derive(Debug)]
pub struct Valid {
    /// The configuration.
    pub applied: Arc<Applied>,
    /// Its bundles, ready to verify with.
    pub bundles: BundleSet,
    /// What of it cannot be used without making the rest unusable: a cluster that publishes a broken authority must
    /// not be able to stop every other cluster's configuration.
    pub problems: Vec<String>,
}

/// Checks a message whole.
pub fn validate(message: wire::GatewayConfig) -> Result<Valid, Invalid> {
    let version = message.version.clone();
    if version.is_empty() || version.len() > MAX_VERSION {
        return Err(Invalid::Version(version.len()));
    }
    let config = GatewayConfig::try_from(message)?;
    let (bundles, unusable) = BundleSet::from_bundles(config.bundles.values());
    let problems =
        unusable.into_iter().map(|(domain, error)| format!("bundle of {domain}: {error}")).collect();
    Ok(Valid { applied: Arc::new(Applied { version, config }), bundles, problems })
}
