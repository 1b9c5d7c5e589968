//! All properties at once.

use crate::event::Event;
use crate::history::History;
use crate::properties::{
    each_slot_moves_forward, revisions_follow_time, scope_is_kept, settled_means_complete, vips_stay,
    watchers_never_go_back,
};
use crate::sights::Sights;
use crate::violation::Violation;
use crate::writes::Writes;

/// What a history has in it: a check of nothing finds nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Writes that were proposed.
    pub proposed: usize,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Writes that were refused.
    pub refused: usize,
    /// Events that watchers were sent.
    pub watch_events: usize,
    /// Moments at which a watcher had the whole catalogue at one revision.
    pub points: usize,
    /// Snapshots that watchers were sent.
    pub snapshots: usize,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was looked at.
    pub counts: Counts,
    /// What cannot be.
    pub violations: Vec<Violation>,
}

/// Checks every property.
pub fn check(history: &History) -> Report {
    let (writes, mut violations) = Writes::of(history);
    let (sights, out_of_place) = Sights::of(history);
    violations.extend(out_of_place);
    violations.extend(revisions_follow_time::violations(history));
    violations.extend(watchers_never_go_back::violations(&sights));
    violations.extend(each_slot_moves_forward::violations(&writes, &sights));
    violations.extend(scope_is_kept::violations(&writes, &sights));
    violations.extend(vips_stay::violations(&sights));
    violations.extend(settled_means_complete::violations(history));
    Report { counts: count(history, &writes, &sights), violations }
}

fn count(history: &History, writes: &Writes, sights: &Sights) -> Counts {
    let all = || writes.by_slot.values().flatten();
    let watched = |event: &&Event| {
        matches!(
            event,
            Event::SnapshotBegan { .. }
                | Event::Upserted { .. }
                | Event::Removed { .. }
                | Event::SnapshotEnded { .. }
                | Event::Progressed { .. }
        )
    };
    Counts {
        proposed: all().count(),
        acknowledged: all().filter(|write| write.acknowledged.is_some()).count(),
        refused: all().filter(|write| write.refused).count(),
        watch_events: history.events.iter().filter(watched).count(),
        points: sights.watchers.iter().map(|sight| sight.points.len()).sum(),
        snapshots: sights.snapshots,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::good;

    #[test]
    fn a_good_history_has_no_violation_and_is_counted() {
        let report = check(&good());
        assert_eq!(report.violations, []);
        let expected =
            Counts { proposed: 5, acknowledged: 4, refused: 1, watch_events: 16, points: 6, snapshots: 2 };
        assert_eq!(report.counts, expected);
    }
}
