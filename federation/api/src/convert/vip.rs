//! The virtual addresses of a service, with the service that they belong to.

use federation_model::{ServiceId, Vip};

use super::{ConvertError, field};
use crate::federation as wire;

impl TryFrom<wire::Vip> for (ServiceId, Vip) {
    type Error = ConvertError;
    fn try_from(from: wire::Vip) -> Result<Self, ConvertError> {
        let service = field::nested("service", from.service)?;
        Ok((service, Vip { v4: field::ip("v4", &from.v4)?, v6: field::ip("v6", &from.v6)? }))
    }
}

impl From<(&ServiceId, &Vip)> for wire::Vip {
    fn from((service, vip): (&ServiceId, &Vip)) -> Self {
        Self { service: Some(service.into()), v4: vip.v4.to_string(), v6: vip.v6.to_string() }
    }
}
