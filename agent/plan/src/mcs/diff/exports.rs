//! Conditions of ServiceExports. Their status is the controller's, whoever made them.

use crate::mcs::action::Action;
use crate::mcs::content::Condition;
use crate::mcs::desired::Desired;
use crate::mcs::observed::{Held, Observed, Recorded};

pub(super) fn actions(desired: &Desired, observed: &Observed, actions: &mut Vec<Action>) {
    for (id, want) in &desired.export_conditions {
        let Some(held) = observed.exports.get(id).filter(|held| !held.deleting) else { continue };
        if !want.iter().all(|condition| is_there(condition, held)) {
            actions.push(Action::ApplyExportStatus { id: id.clone(), conditions: want.clone() });
        }
    }
}

fn is_there(want: &Condition, held: &Held<Vec<Recorded>>) -> bool {
    held.content
        .iter()
        .flatten()
        .any(|recorded| recorded.condition == *want && recorded.observed_generation == Some(held.generation))
}
