//! Conditions of this cluster's ServiceExports (KEP-1645, `ServiceExportConditionType`).

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::{Import, ServiceId};

use super::conflict;
use super::services::Service;
use crate::local::InvalidExport;
use crate::mcs::catalogue::{Known, Verdict};
use crate::mcs::content::{Condition, ConditionKind, ConditionStatus};
use crate::mcs::input::{Input, Offer};
use crate::mcs::observed::{Held, Observed, Recorded};

/// Longest message, in characters; the API takes 32,768 bytes, and nobody reads that much.
const MAX_MESSAGE: usize = 2_048;

/// The conditions of every ServiceExport that was judged.
pub(super) fn conditions(
    input: &Input,
    observed: &Observed,
    services: &[Service<'_>],
) -> BTreeMap<ServiceId, Vec<Condition>> {
    if observed.capabilities.exports.is_none() {
        return BTreeMap::new();
    }
    let there = |(id, held): &(&ServiceId, &Arc<Held<Vec<Recorded>>>)| {
        !held.deleting && observed.namespaces.contains(&id.namespace)
    };
    let judged = |(id, held): (&ServiceId, &Arc<Held<Vec<Recorded>>>)| {
        let conditions = match input.catalogue.verdicts.get(id)? {
            Verdict::Invalid(wrong) => invalid(wrong),
            Verdict::Valid => valid(id, held, input, services),
        };
        Some((id.clone(), conditions))
    };
    observed.exports.iter().filter(there).filter_map(judged).collect()
}

/// Not exported, and so in conflict with nobody.
fn invalid(wrong: &InvalidExport) -> Vec<Condition> {
    let reason = match wrong {
        InvalidExport::NoService => "NoService",
        InvalidExport::InvalidServiceType => "InvalidServiceType",
        InvalidExport::Field { .. } => "InvalidService",
    };
    let wrong = wrong.to_string();
    let failed = format!("Not exported: {wrong}.");
    vec![
        condition(ConditionKind::Valid, ConditionStatus::False, reason, &sentence(&wrong)),
        condition(ConditionKind::Ready, ConditionStatus::False, "Failed", &failed),
    ]
}

fn valid(
    id: &ServiceId,
    held: &Held<Vec<Recorded>>,
    input: &Input,
    services: &[Service<'_>],
) -> Vec<Condition> {
    let valid =
        condition(ConditionKind::Valid, ConditionStatus::True, "Valid", "The Service can be exported.");
    if input.catalogue.known != Known::Confirmed {
        return std::iter::once(valid).chain(as_before(held, input.offers.get(id))).collect();
    }
    let service = services.binary_search_by(|service| service.id.cmp(id)).ok();
    let service = service.and_then(|at| services.get(at));
    let own = service.filter(|service| service.exporter(&input.plan.cluster).is_some());
    let ready = ready(input.offers.get(id), own.is_some());
    let conflict = own.map(|service| conflict(service.import, input));
    std::iter::once(valid).chain([ready]).chain(conflict).collect()
}

/// Until the catalogue is confirmed nothing new can be said of an export: what was said before stays.
fn as_before(held: &Held<Vec<Recorded>>, offer: Option<&Offer>) -> Vec<Condition> {
    let said = held.content.iter().flatten().map(|recorded| &recorded.condition);
    let said: Vec<Condition> = said.filter(|c| c.kind != ConditionKind::Valid).cloned().collect();
    // What was said of an invalid export is not true of a valid one.
    let stays = said.iter().any(|c| c.kind == ConditionKind::Ready && c.status == ConditionStatus::True);
    if stays { said } else { vec![ready(offer, false)] }
}

/// Once the federation has an export, it stays exported while changes to it are under way: otherwise every endpoint
/// that comes or goes would be two writes here.
fn ready(offer: Option<&Offer>, in_catalogue: bool) -> Condition {
    let (status, reason, message) = match offer {
        Some(Offer::Refused(why)) => {
            let why = why.trim_end_matches('.');
            (ConditionStatus::False, "Failed", format!("The federation refused it: {why}."))
        }
        Some(Offer::Committed) => (ConditionStatus::True, "Exported", EXPORTED.to_owned()),
        _ if in_catalogue => (ConditionStatus::True, "Exported", EXPORTED.to_owned()),
        _ => (ConditionStatus::False, "Pending", "The federation has not confirmed it yet.".to_owned()),
    };
    condition(ConditionKind::Ready, status, reason, &message)
}

const EXPORTED: &str = "The federation has it.";

fn conflict(import: &Import, input: &Input) -> Condition {
    if import.conflicts.is_empty() {
        let message = "All exporters agree.";
        return condition(ConditionKind::Conflict, ConditionStatus::False, "NoConflicts", message);
    }
    let reasons: Vec<&str> = import.conflicts.keys().map(|conflict| conflict.reason()).collect();
    let message = conflict::message(import, &input.plan.cluster);
    condition(ConditionKind::Conflict, ConditionStatus::True, &reasons.join(","), &message)
}

fn condition(kind: ConditionKind, status: ConditionStatus, reason: &str, message: &str) -> Condition {
    let message = message.chars().take(MAX_MESSAGE).collect();
    Condition { kind, status, reason: reason.to_owned(), message }
}

/// With a capital and a full stop, unless it begins with the name of a field.
fn sentence(text: &str) -> String {
    let field = text.split_once(':').is_some_and(|(field, _)| field.contains(['.', '[']));
    let mut chars = text.chars();
    let mut sentence: String = match chars.next() {
        Some(first) if !field => first.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    };
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}
