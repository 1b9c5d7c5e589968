//! When all faults are over and the recorder says that it waited, every watcher has seen everything that was
//! acknowledged: otherwise a write could be missing and nobody would have looked.

use std::collections::BTreeMap;

use federation_model::Revision;

use crate::event::{Event, WatcherName};
use crate::history::History;
use crate::violation::Violation;

/// Every watcher that was behind when all had settled.
pub fn violations(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut told = Revision(0);
    let mut seen: BTreeMap<&WatcherName, Revision> = BTreeMap::new();
    for event in &history.events {
        match event {
            Event::Acknowledged { revision: Some(revision), .. } => told = told.max(*revision),
            Event::SnapshotEnded { watcher, revision } | Event::Progressed { watcher, revision } => {
                seen.insert(watcher, *revision);
            }
            Event::Settled { watchers } => {
                for watcher in watchers {
                    let at = seen.get(watcher).copied().unwrap_or_default();
                    if at < told {
                        let (watcher, acknowledged) = (watcher.clone(), told);
                        violations.push(Violation::NotComplete { watcher, at, acknowledged });
                    }
                }
            }
            _ => {}
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ack, connect, good, progress, put, settled};

    #[test]
    fn a_watcher_that_has_caught_up_is_fine() {
        assert_eq!(violations(&good()), []);
    }

    #[test]
    fn one_that_is_behind_or_never_looked_is_found() {
        let events = vec![
            connect("east", 1),
            put(1, "a"),
            progress("east", 4),
            ack(1, 5),
            settled(&["east", "north"]),
        ];
        let said: Vec<_> = violations(&History { events }).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "watcher east was at revision 4 when all had settled, and revision 5 had been acknowledged",
                "watcher north was at revision 0 when all had settled, and revision 5 had been acknowledged",
            ]
        );
    }
}
