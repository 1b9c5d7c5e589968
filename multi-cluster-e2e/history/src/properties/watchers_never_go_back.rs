//! The revisions of a watcher never go back: not on one stream, not by a snapshot, and not when it goes to another
//! server.

use crate::sights::Sights;
use crate::violation::Violation;

/// Every step back of a watcher.
pub fn violations(sights: &Sights) -> Vec<Violation> {
    let mut violations = Vec::new();
    for sight in &sights.watchers {
        let pairs = sight.points.iter().zip(sight.points.iter().skip(1));
        violations.extend(pairs.filter(|(before, after)| after.revision < before.revision).map(
            |(before, after)| Violation::BackInTime {
                watcher: sight.watcher.clone(),
                from: before.revision,
                from_server: before.server.clone(),
                to: after.revision,
                to_server: after.server.clone(),
            },
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::history::History;
    use crate::testing::{began, connect, ended, good, progress};

    fn said(events: Vec<Event>) -> Vec<String> {
        violations(&Sights::of(&History { events }).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn standing_still_and_going_on_are_fine() {
        assert_eq!(violations(&Sights::of(&good()).0), []);
        let events = vec![connect("east", 1), progress("east", 4), connect("east", 2), progress("east", 4)];
        assert!(said(events).is_empty());
    }

    #[test]
    fn a_step_back_is_found_with_both_servers() {
        let expected = ["watcher east went from revision 17 at server 1 to 12 at server 2"];
        let by_progress =
            vec![connect("east", 1), progress("east", 17), connect("east", 2), progress("east", 12)];
        assert_eq!(said(by_progress), expected);
        let by_snapshot = vec![
            connect("east", 1),
            progress("east", 17),
            connect("east", 2),
            began("east"),
            ended("east", 12),
        ];
        assert_eq!(said(by_snapshot), expected);
    }
}
