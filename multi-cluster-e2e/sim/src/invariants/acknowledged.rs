//! What was acknowledged is in the log, at the revision that was named or before (what was asked for together may be
//! committed apart, and is acknowledged with the last), and accepted; or the catalogue has it there already, where an
//! exporter only asked. That it stays there follows from the property one-log while the log grows, and is looked at once
//! more in the end.

use federation_model::{ClusterId, Command, Generation, Revision, ServiceId, TokenHash};

use super::{Property, Violation};
use crate::oracle::History;

/// An exporter was told that this generation, of an offer or of its end, is committed.
pub fn export(
    history: &mut History,
    cluster: &ClusterId,
    service: &ServiceId,
    generation: Generation,
    revision: Revision,
) -> Result<(), Violation> {
    let text = format!("generation {generation} of {service} in {cluster}");
    let entry = history.log.get(&revision.0);
    let there = entry.and_then(|entry| entry.state.export(service, cluster));
    if there.is_some_and(|export| export.generation == generation) {
        history.acknowledged.insert(revision.0, text);
        return Ok(());
    }
    committed(history, revision, text, |command| match command {
        Command::PutExport { export, .. } => {
            &export.cluster == cluster && &export.service == service && export.generation == generation
        }
        Command::RemoveExport { cluster: whose, service: which, generation: given, .. } => {
            whose == cluster && which == service && *given == generation
        }
        _ => false,
    })
}

/// An operator was told that a token is committed.
pub fn token(history: &mut History, wanted: TokenHash, revision: Revision) -> Result<(), Violation> {
    committed(
        history,
        revision,
        format!("a token at {revision}"),
        |command| matches!(command, Command::CreateToken { hash, .. } if *hash == wanted),
    )
}

fn committed(
    history: &mut History,
    revision: Revision,
    text: String,
    is_it: impl Fn(&Command) -> bool,
) -> Result<(), Violation> {
    let accepted = history.log.range(..=revision.0).rev().any(|(_, entry)| {
        let commands = entry.batch.iter().flat_map(|batch| &batch.commands);
        commands.zip(&entry.outcomes).any(|(command, outcome)| outcome.is_ok() && is_it(command))
    });
    if !accepted {
        let what = format!("{text} was acknowledged, and no revision up to {revision} holds it");
        return Err(Violation::of(Property::Acknowledged, what));
    }
    history.acknowledged.insert(revision.0, text);
    Ok(())
}

/// The log reaches `last` everywhere, and will not get longer by itself.
pub fn in_the_end(history: &History, last: Revision) -> Result<(), Violation> {
    match history.acknowledged.last_key_value() {
        Some((revision, text)) if *revision > last.0 => {
            let what = format!("{text} was acknowledged at {revision}, and the log ends at {last}");
            Err(Violation::of(Property::Acknowledged, what))
        }
        _ => Ok(()),
    }
}
