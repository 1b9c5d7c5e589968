//! Conditions, with their times and generations.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use crate::mcs::content::{Condition, ConditionStatus};

/// One condition. `before` is the status that it had, and since when: the time only moves when the status does.
pub(super) fn condition(
    condition: &Condition,
    generation: i64,
    before: Option<(ConditionStatus, &Time)>,
    now: &Time,
) -> Value {
    let since = before.filter(|(status, _)| *status == condition.status).map_or(now, |(_, since)| since);
    json!({
        "type": condition.kind.as_str(),
        "status": condition.status.as_str(),
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    })
}
