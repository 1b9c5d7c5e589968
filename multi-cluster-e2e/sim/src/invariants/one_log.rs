//! Every server applies the same entry at the same revision, and comes to the same state by it (Raft's state machine
//! safety, Ongaro and Ousterhout 2014, figure 3). An entry that was applied anywhere can therefore never be replaced.

use federation_model::state::Outcome;
use federation_model::{Batch, Revision, State};

use super::{Property, Violation};
use crate::oracle::History;

/// Whether the entry was applied before by anybody, and then like this.
pub fn known(
    history: &History,
    server: u64,
    revision: Revision,
    batch: Option<&Batch>,
    outcomes: &[Outcome],
    state: &State,
) -> Result<bool, Violation> {
    let Some(entry) = history.log.get(&revision.0) else {
        let next = history.log.last_key_value().map_or(revision.0, |(last, _)| last + 1);
        if revision.0 == next {
            return Ok(false);
        }
        let what = format!("server {server} applies {revision}, and {next} was applied nowhere");
        return Err(Violation::of(Property::OneLog, what));
    };
    let differs = if entry.batch.as_ref() != batch {
        "another entry than"
    } else if entry.outcomes != outcomes {
        "with another outcome than"
    } else if *entry.state != *state {
        "with another state than"
    } else {
        return Ok(true);
    };
    let what = format!("server {server} applied at {revision} {differs} server {}", entry.server);
    Err(Violation::of(Property::OneLog, what))
}

/// A snapshot is the state of its revision.
pub fn snapshot(history: &History, server: u64, state: &State) -> Result<(), Violation> {
    let revision = state.revision();
    match history.log.get(&revision.0) {
        Some(entry) if *entry.state == *state => Ok(()),
        found => {
            let what = if found.is_some() { "differs from what was applied" } else { "was applied nowhere" };
            Err(Violation::of(
                Property::OneLog,
                format!("the snapshot of {revision} at server {server} {what}"),
            ))
        }
    }
}
