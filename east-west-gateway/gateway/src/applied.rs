//! A configuration in force.

use federation_model::data_plane::GatewayConfig;
use federation_model::trust_domain::TrustDomain;

/// A configuration that was validated whole, with the agent's name for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// Hash of the content, as the agent computed it.
    pub version: String,
    /// The configuration.
    pub config: GatewayConfig,
}

impl Applied {
    /// Whether anybody of `domain` is believed at all. A bundle without authorities revokes the whole domain.
    pub fn trusts(&self, domain: &TrustDomain) -> bool {
        self.config.bundles.get(domain).is_some_and(|bundle| !bundle.authorities.is_empty())
    }
}
