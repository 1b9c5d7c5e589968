//! The writes of a history, by slot, in the order in which their cluster made them.

use std::collections::BTreeMap;

use federation_model::Revision;

use crate::event::{Event, Slot, Viewer, Wish, WriteId};
use crate::history::History;
use crate::violation::Violation;

/// One write and what became of it.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its name.
    pub id: WriteId,
    /// What it wants.
    pub wish: Wish,
    /// The event that proposed it.
    pub proposed_at: usize,
    /// The largest revision that anybody had been told of when it was proposed: it happens later, or never.
    pub after: Revision,
    /// The first acknowledgement: the event, and the revision by which it had happened.
    pub acknowledged: Option<(usize, Option<Revision>)>,
    /// Whether it was refused.
    pub refused: bool,
}

/// All writes.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    /// By slot, oldest first.
    pub by_slot: BTreeMap<Slot, Vec<Write>>,
    /// Where each is: its slot, and its place there.
    pub index: BTreeMap<WriteId, (Slot, usize)>,
}

impl Writes {
    /// Collects them. Events that no recorder can mean are violations too: a checker that skips what it does not
    /// understand proves nothing.
    pub fn of(history: &History) -> (Self, Vec<Violation>) {
        let (mut writes, mut violations) = (Self::default(), Vec::new());
        let mut told = Revision(0);
        for (at, event) in history.events.iter().enumerate() {
            match event {
                Event::Proposed { write: id, slot, wish } => {
                    let of_slot = writes.by_slot.entry(slot.clone()).or_default();
                    if writes.index.insert(*id, (slot.clone(), of_slot.len())).is_some() {
                        violations.push(Violation::ProposedTwice { write: *id });
                    }
                    of_slot.push(Write {
                        id: *id,
                        wish: wish.clone(),
                        proposed_at: at,
                        after: told,
                        acknowledged: None,
                        refused: false,
                    });
                }
                Event::Acknowledged { write: id, revision } => {
                    told = told.max(revision.unwrap_or_default());
                    match writes.get_mut(*id) {
                        Some(write) => {
                            if write.refused {
                                violations.push(Violation::BothRefusedAndAcknowledged { write: *id });
                            }
                            write.acknowledged.get_or_insert((at, *revision));
                        }
                        None => violations.push(Violation::NeverProposed { write: *id }),
                    }
                }
                Event::Refused { write: id, .. } => match writes.get_mut(*id) {
                    Some(write) => {
                        if write.acknowledged.is_some() {
                            violations.push(Violation::BothRefusedAndAcknowledged { write: *id });
                        }
                        write.refused = true;
                    }
                    None => violations.push(Violation::NeverProposed { write: *id }),
                },
                _ => {}
            }
        }
        (writes, violations)
    }

    /// One write.
    pub fn get(&self, id: WriteId) -> Option<(&Slot, &Write)> {
        let (slot, place) = self.index.get(&id)?;
        Some((slot, self.by_slot.get(slot)?.get(*place)?))
    }

    fn get_mut(&mut self, id: WriteId) -> Option<&mut Write> {
        let (slot, place) = self.index.get(&id)?;
        self.by_slot.get_mut(slot)?.get_mut(*place)
    }

    /// Whether `viewer` sees something in `slot` after `write`.
    pub fn shows(slot: &Slot, write: &Write, viewer: &Viewer) -> bool {
        write.wish.shows(&slot.cluster, viewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ack, put, refuse};

    fn violations(events: Vec<Event>) -> Vec<String> {
        Writes::of(&History { events }).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_write_is_not_both_refused_and_acknowledged() {
        assert_eq!(
            violations(vec![put(1, "echo"), ack(1, 5), refuse(1)]),
            ["write 1 was both refused and acknowledged"]
        );
        assert_eq!(
            violations(vec![put(1, "echo"), refuse(1), ack(1, 5)]),
            ["write 1 was both refused and acknowledged"]
        );
    }

    #[test]
    fn what_no_recorder_can_mean_is_said() {
        assert_eq!(violations(vec![ack(1, 5)]), ["write 1 was answered and never proposed"]);
        assert_eq!(violations(vec![put(1, "a"), put(1, "b")]), ["write 1 was proposed twice"]);
    }
}
