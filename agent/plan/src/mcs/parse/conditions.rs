//! Conditions, of the types that we set.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::mcs::content::{Condition, ConditionKind, ConditionStatus};
use crate::mcs::crd::{self, Lenient};
use crate::mcs::observed::Recorded;

/// Conditions of these types, by type. At most one of each: the API server keeps them apart by type.
pub(super) fn conditions(
    given: Option<&Vec<Lenient<crd::Condition>>>,
    kinds: &[ConditionKind],
) -> Vec<Recorded> {
    let given = given.map(Vec::as_slice).unwrap_or_default();
    let of_kind = |kind: &ConditionKind| {
        let mut known = given.iter().filter_map(Lenient::known);
        known.find(|condition| condition.type_ == kind.as_str()).and_then(|found| recorded(*kind, found))
    };
    kinds.iter().filter_map(of_kind).collect()
}

fn recorded(kind: ConditionKind, given: &crd::Condition) -> Option<Recorded> {
    let status = match given.status.as_str() {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        "Unknown" => ConditionStatus::Unknown,
        _ => return None,
    };
    Some(Recorded {
        condition: Condition { kind, status, reason: given.reason.clone(), message: given.message.clone() },
        since: given.last_transition_time.as_deref().and_then(|text| text.parse().ok()).map(Time),
        observed_generation: given.observed_generation,
    })
}
