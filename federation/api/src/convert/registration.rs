//! What an agent says of its cluster. The cluster itself is not in the message: it is the certificate's.

use federation_model::ClusterId;
use federation_model::command::Registration;

use super::{ConvertError, field, gateway};
use crate::federation as wire;

/// Longest version that an agent may call itself, in bytes.
pub const MAX_VERSION: usize = 64;

/// The registration of `cluster`, which is whom the peer's certificate names.
pub fn registration(cluster: ClusterId, from: wire::Registration) -> Result<Registration, ConvertError> {
    field::bounded("version", from.version, MAX_VERSION)?;
    Ok(Registration {
        cluster,
        instance: field::parse("instance", &from.instance)?,
        network: field::parse("network", &from.network)?,
        region: field::optional("region", &from.region)?,
        zone: field::optional("zone", &from.zone)?,
        trust_domain: field::parse("trust_domain", &from.trust_domain)?,
        gateways: gateway::gateways(from.gateways)?,
    })
}

impl From<&Registration> for wire::Registration {
    /// Without a version: the model has none, and the agent says its own.
    fn from(from: &Registration) -> Self {
        Self {
            instance: from.instance.to_string(),
            network: from.network.to_string(),
            region: field::text_or_empty(from.region.as_ref()),
            zone: field::text_or_empty(from.zone.as_ref()),
            trust_domain: from.trust_domain.to_string(),
            gateways: from.gateways.iter().map(Into::into).collect(),
            version: String::new(),
        }
    }
}
