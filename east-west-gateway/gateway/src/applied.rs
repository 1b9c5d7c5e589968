//! A configuration in force.

use federation_model::data_plane::GatewayConfig;

/// A configuration that was validated whole, with the agent's name for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Applied {
    /// Hash of the content, as the agent computed it.
    pub version: String,
    /// The configuration.
    pub config: GatewayConfig,
}
