//! The CAs of a trust domain. Their certificates are bounded here and judged by `federation-trust`.

use federation_model::Bundle;
use federation_model::bundle::{AuthorityDer, MAX_AUTHORITIES, MAX_AUTHORITY_BYTES};

use super::{ConvertError, Problem, field};
use crate::federation as wire;

impl TryFrom<wire::Bundle> for Bundle {
    type Error = ConvertError;
    fn try_from(from: wire::Bundle) -> Result<Self, ConvertError> {
        Ok(Self {
            trust_domain: field::parse("trust_domain", &from.trust_domain)?,
            authorities: authorities(from.authorities)?,
            sequence: from.sequence,
            refresh_hint: from.refresh_hint_seconds,
        })
    }
}

impl From<&Bundle> for wire::Bundle {
    fn from(from: &Bundle) -> Self {
        Self {
            trust_domain: from.trust_domain.to_string(),
            authorities: from.authorities.iter().map(|a| a.0.clone()).collect(),
            sequence: from.sequence,
            refresh_hint_seconds: from.refresh_hint,
        }
    }
}

/// The field `authorities` of any message that has one.
pub(super) fn authorities(from: Vec<Vec<u8>>) -> Result<Vec<AuthorityDer>, ConvertError> {
    field::list("authorities", from, MAX_AUTHORITIES, |der| {
        if der.len() > MAX_AUTHORITY_BYTES {
            let problem = Problem::TooLong { given: der.len(), max: MAX_AUTHORITY_BYTES };
            return Err(ConvertError::new("", problem));
        }
        Ok(AuthorityDer(der))
    })
}
