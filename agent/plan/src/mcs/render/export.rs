//! The status of ServiceExports.

use federation_model::ServiceId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{conditions, mcs_version, named};
use crate::mcs::content::Condition;
use crate::mcs::observed::{Held, McsVersion, Recorded};

pub(super) fn status(
    version: McsVersion,
    id: &ServiceId,
    given: &[Condition],
    held: Option<&Held<Vec<Recorded>>>,
    now: &Time,
) -> Value {
    let generation = held.map(|held| held.generation).unwrap_or_default();
    let condition = |condition: &Condition| {
        let recorded = held.and_then(|held| held.content.as_ref());
        let before = recorded.into_iter().flatten().find(|before| before.condition.kind == condition.kind);
        let before = before.and_then(|before| Some((before.condition.status, before.since.as_ref()?)));
        conditions::condition(condition, generation, before, now)
    };
    json!({
        "apiVersion": mcs_version(version),
        "kind": "ServiceExport",
        "metadata": named(id.name.as_str(), Some(id.namespace.as_str())),
        "status": { "conditions": given.iter().map(condition).collect::<Vec<_>>() },
    })
}
