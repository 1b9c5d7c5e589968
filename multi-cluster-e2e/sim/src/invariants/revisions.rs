//! Revisions only grow: one life of a server never applies an older entry than before, and no agent is ever shown an
//! older catalogue than before, whichever server shows it.

use federation_model::{FederationView, Revision};

use super::{Property, Violation};
use crate::oracle::History;

/// A server applied an entry, or took a snapshot.
pub fn applied(history: &mut History, server: u64, life: u64, revision: Revision) -> Result<(), Violation> {
    let before = history.applied.insert((server, life), revision.0);
    match before {
        Some(before) if before >= revision.0 => {
            let what = format!("server {server} applied {revision} after {before}");
            Err(Violation::of(Property::Revisions, what))
        }
        _ => Ok(()),
    }
}

/// An agent was given a view.
pub fn view(history: &mut History, agent: &str, view: &FederationView) -> Result<(), Violation> {
    let before = history.seen.insert(agent.to_owned(), view.revision.0);
    match before {
        Some(before) if before > view.revision.0 => {
            let what = format!("{agent} saw revision {} after {before}", view.revision);
            Err(Violation::of(Property::Revisions, what))
        }
        _ => Ok(()),
    }
}
