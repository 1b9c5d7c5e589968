//! The name of a service.

use federation_model::ServiceId;

use super::{ConvertError, field};
use crate::federation as wire;

impl TryFrom<wire::ServiceId> for ServiceId {
    type Error = ConvertError;
    fn try_from(from: wire::ServiceId) -> Result<Self, ConvertError> {
        Ok(Self {
            namespace: field::parse("namespace", &from.namespace)?,
            name: field::parse("name", &from.name)?,
        })
    }
}

impl From<&ServiceId> for wire::ServiceId {
    fn from(from: &ServiceId) -> Self {
        Self { namespace: from.namespace.to_string(), name: from.name.to_string() }
    }
}
