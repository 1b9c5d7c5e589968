//! Nobody is shown, even for a moment, a value that is not for it, or one that nobody wrote there before.

use crate::event::Piece;
use crate::sights::Sights;
use crate::violation::{Seen, Violation};
use crate::writes::Writes;

/// Every value that should not have been shown to whom it was shown.
pub fn violations(writes: &Writes, sights: &Sights) -> Vec<Violation> {
    let mut violations = Vec::new();
    for shown in &sights.shown {
        let Piece::Export { slot, write: id } = &shown.piece else { continue };
        let nowhere =
            |saw| Violation::FromNowhere { watcher: shown.watcher.clone(), saw, slot: slot.clone() };
        let Some(id) = id else {
            violations.push(nowhere(Seen::Stranger));
            continue;
        };
        match writes.get(*id) {
            Some((written, write)) if written == slot && write.proposed_at < shown.at => {
                if !write.wish.shows(&slot.cluster, &shown.viewer) {
                    violations.push(Violation::OutOfScope {
                        watcher: shown.watcher.clone(),
                        viewer: shown.viewer.clone(),
                        write: *id,
                        slot: slot.clone(),
                    });
                }
            }
            _ => violations.push(nowhere(Seen::Write(*id))),
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, WatcherName};
    use crate::history::History;
    use crate::testing::{connect, good, put, put_for, remove, saw, slot};

    fn said(events: Vec<Event>) -> Vec<String> {
        let history = History { events };
        let (writes, sights) = (Writes::of(&history).0, Sights::of(&history).0);
        violations(&writes, &sights).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_owner_those_named_and_operators_may_look() {
        assert!(said(good().events).is_empty());
        for viewer in ["east", "west", "operator"] {
            assert!(said(vec![put_for(1, "a", "east"), connect(viewer, 1), saw(viewer, 1, "a")]).is_empty());
        }
    }

    #[test]
    fn somebody_else_may_not_even_for_a_moment() {
        assert_eq!(
            said(vec![put_for(1, "a", "east"), connect("north", 1), saw("north", 1, "a")]),
            ["watcher north, as cluster north, was shown write 1 of demo/a of west, which is not for it"]
        );
    }

    #[test]
    fn what_nobody_wrote_there_before_is_found() {
        let from_nowhere =
            ["watcher east was shown write 1 in demo/a of west, which nobody wrote there before"];
        assert_eq!(said(vec![connect("east", 1), saw("east", 1, "a")]), from_nowhere);
        assert_eq!(said(vec![connect("east", 1), saw("east", 1, "a"), put(1, "a")]), from_nowhere);
        assert_eq!(said(vec![put(1, "b"), connect("east", 1), saw("east", 1, "a")]), from_nowhere);
        let piece = Piece::Export { slot: slot("a"), write: None };
        let strange = Event::Upserted { watcher: WatcherName("east".to_owned()), piece };
        assert_eq!(
            said(vec![connect("east", 1), strange]),
            ["watcher east was shown a strange value in demo/a of west, which nobody wrote there before"]
        );
        assert_eq!(said(vec![remove(1, "a"), connect("east", 1), saw("east", 1, "a")]).len(), 1);
    }
}
