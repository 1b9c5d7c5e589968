//! A write that was proposed after another had been acknowledged is acknowledged at a later revision, whoever made
//! them and whichever servers answered. Of one writer, whose writes of a slot follow each other, that makes the
//! revisions grow.

use std::collections::BTreeMap;

use federation_model::Revision;

use crate::event::{Event, WriteId};
use crate::history::History;
use crate::violation::Violation;

/// Every acknowledgement that came with a revision from before its write was proposed.
pub fn violations(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut told = Revision(0);
    let mut begun: BTreeMap<WriteId, Revision> = BTreeMap::new();
    for event in &history.events {
        match event {
            Event::Proposed { write, .. } => {
                begun.insert(*write, told);
            }
            Event::Acknowledged { write, revision: Some(revision) } => {
                if let Some(before) = begun.get(write).filter(|before| *before >= revision) {
                    violations.push(Violation::OutOfOrder {
                        later: *write,
                        before: *before,
                        revision: *revision,
                    });
                }
                told = told.max(*revision);
            }
            _ => {}
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ack, ack_somewhere, good, put};

    fn said(events: Vec<Event>) -> Vec<String> {
        violations(&History { events }).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn writes_at_the_same_time_may_share_a_revision_or_change_places() {
        assert_eq!(violations(&good()), []);
        assert!(said(vec![put(1, "a"), put(2, "b"), ack(2, 5), ack(1, 5)]).is_empty());
        assert!(said(vec![put(1, "a"), put(2, "b"), ack(1, 5), ack(2, 4)]).is_empty());
        assert!(said(vec![put(1, "a"), ack(1, 5), put(2, "a"), ack_somewhere(2)]).is_empty());
    }

    #[test]
    fn a_later_write_at_an_earlier_or_equal_revision_is_found() {
        let expected = |revision| {
            format!(
                "write 2 was proposed after revision 5 had been acknowledged, and was acknowledged at revision {revision}"
            )
        };
        assert_eq!(said(vec![put(1, "a"), ack(1, 5), put(2, "b"), ack(2, 4)]), [expected(4)]);
        assert_eq!(said(vec![put(1, "a"), ack(1, 5), put(2, "b"), ack(2, 5)]), [expected(5)]);
    }
}
