//! The address of an east-west gateway.

use federation_model::Gateway;
use federation_model::cluster::{MAX_GATEWAY_WEIGHT, MAX_GATEWAYS};

use super::{ConvertError, field};
use crate::federation as wire;

impl TryFrom<wire::Gateway> for Gateway {
    type Error = ConvertError;
    fn try_from(from: wire::Gateway) -> Result<Self, ConvertError> {
        Ok(Self {
            address: field::socket_address("address", &from.address)?,
            zone: field::optional("zone", &from.zone)?,
            weight: field::range("weight", from.weight, 1, MAX_GATEWAY_WEIGHT)?,
        })
    }
}

impl From<&Gateway> for wire::Gateway {
    fn from(from: &Gateway) -> Self {
        Self {
            address: from.address.to_string(),
            zone: field::text_or_empty(from.zone.as_ref()),
            weight: from.weight,
        }
    }
}

/// The gateways of one cluster, as a cluster and a registration name them.
pub(super) fn gateways(from: Vec<wire::Gateway>) -> Result<Vec<Gateway>, ConvertError> {
    field::list("gateways", from, MAX_GATEWAYS, Gateway::try_from)
}
