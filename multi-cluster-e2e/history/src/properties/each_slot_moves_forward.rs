//! What anybody sees of a slot at a revision is the last write that was acknowledged by then, or a later one; and what
//! was seen at a revision is never undone at a later one.
//!
//! A cluster writes a slot one write after the other, so the writes of a slot have places: 0 is the empty slot of the
//! beginning, and n the nth write. What an unacknowledged write did is not known, but that the place only grows with
//! the revision is: an acknowledgement at a revision, or a look, says how far it was by then. A look that sees nothing
//! may stand for the beginning, for a removal, or for a value that is not for the one who looks: the earliest of
//! those that is not too early is taken, so that nothing right is called wrong.

use federation_model::Revision;

use crate::event::{Slot, Viewer, WatcherName, WriteId};
use crate::properties::equal_revisions_agree;
use crate::sights::{Point, Sights};
use crate::violation::{Seen, Violation};
use crate::writes::{Write, Writes};

/// One look of a watcher at the slot.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// At which revision.
    pub revision: Revision,
    /// The event.
    pub at: usize,
    /// Who.
    pub watcher: &'a WatcherName,
    /// As whom.
    pub viewer: &'a Viewer,
    /// Whom it had asked.
    pub server: &'a str,
    /// What it saw.
    pub saw: Option<WriteId>,
    /// The index of that among the slot's writes, if it is one of them.
    pub place: Option<usize>,
}

/// How far a slot was at a revision, and how that is known.
#[derive(Debug, Clone, Copy)]
struct Floor {
    /// The number of writes that are over: 0 is the beginning.
    place: usize,
    revision: Revision,
    acknowledged: bool,
}

/// Everything that cannot be, slot by slot.
pub fn violations(writes: &Writes, sights: &Sights) -> Vec<Violation> {
    let bounds = Bounds::of(writes);
    let mut violations = Vec::new();
    for (slot, of_slot) in &writes.by_slot {
        let mut sweep = Sweep {
            slot,
            writes: of_slot,
            floor: Floor { place: 0, revision: Revision(0), acknowledged: false },
            violations: Vec::new(),
        };
        sweep.run(&acknowledgements(of_slot, &bounds), &looks(writes, slot, sights));
        violations.append(&mut sweep.violations);
    }
    violations
}

/// By which revision each acknowledged write had happened, by revision.
fn acknowledgements(writes: &[Write], bounds: &Bounds) -> Vec<(Revision, usize)> {
    let by = |write: &Write| {
        let (at, revision) = write.acknowledged?;
        revision.or_else(|| bounds.after(at))
    };
    let mut all: Vec<_> =
        writes.iter().enumerate().filter_map(|(index, write)| Some((by(write)?, index + 1))).collect();
    all.sort_unstable();
    all
}

fn looks<'a>(writes: &Writes, slot: &Slot, sights: &'a Sights) -> Vec<Look<'a>> {
    let mut looks = Vec::new();
    for sight in &sights.watchers {
        let look = |(point, saw): (&'a Point, Option<WriteId>)| Look {
            revision: point.revision,
            at: point.at,
            watcher: &sight.watcher,
            viewer: &sight.viewer,
            server: &point.server,
            saw,
            place: saw.and_then(|id| writes.index.get(&id)).filter(|(of, _)| of == slot).map(|(_, at)| *at),
        };
        looks.extend(sight.of(slot).map(look));
    }
    looks.sort_by_key(|look| look.revision);
    looks
}

struct Sweep<'a> {
    slot: &'a Slot,
    writes: &'a [Write],
    floor: Floor,
    violations: Vec<Violation>,
}

impl Sweep<'_> {
    /// Goes through all revisions in order.
    fn run(&mut self, acknowledged: &[(Revision, usize)], looks: &[Look<'_>]) {
        let mut acknowledged = acknowledged.iter().peekable();
        for group in looks.chunk_by(|a, b| a.revision == b.revision) {
            let Some(revision) = group.first().map(|look| look.revision) else { continue };
            while let Some((by, place)) = acknowledged.next_if(|(by, _)| *by <= revision) {
                self.raise(Floor { place: *place, revision: *by, acknowledged: true });
            }
            self.violations.extend(equal_revisions_agree::violations(self.slot, self.writes, group));
            let mut reached = 0;
            for look in group {
                reached = reached.max(self.judge(look).unwrap_or_default());
            }
            self.raise(Floor { place: reached, revision, acknowledged: false });
        }
    }

    fn raise(&mut self, to: Floor) {
        if to.place > self.floor.place {
            self.floor = to;
        }
    }

    /// How far the slot was for the look to be right; none if it cannot be.
    fn judge(&mut self, look: &Look<'_>) -> Option<usize> {
        let place = match (look.saw, look.place) {
            (None, _) => self.empty(look),
            (Some(_), Some(index)) => {
                self.value(look, index);
                Some(index + 1)
            }
            // A value of nobody: `scope_is_kept` says so.
            (Some(_), None) => return None,
        };
        if let Some(place) = place.filter(|place| *place >= self.floor.place) {
            return Some(place);
        }
        self.too_old(look);
        None
    }

    /// The earliest place, from the floor on, at which there is nothing to see.
    fn empty(&self, look: &Look<'_>) -> Option<usize> {
        (self.floor.place..=self.writes.len()).find(|place| {
            let Some(write) = place.checked_sub(1).and_then(|index| self.writes.get(index)) else {
                return true;
            };
            let could_be = !write.refused && write.proposed_at < look.at && write.after < look.revision;
            could_be && !Writes::shows(self.slot, write, look.viewer)
        })
    }

    fn value(&mut self, look: &Look<'_>, index: usize) {
        let Some(write) = self.writes.get(index) else { return };
        let (id, slot, watcher, revision) =
            (write.id, self.slot.clone(), look.watcher.clone(), look.revision);
        if write.refused {
            self.violations.push(Violation::RefusedHappened { write: id, slot, watcher, revision });
        } else if revision <= write.after {
            let after = write.after;
            self.violations.push(Violation::BeforeItsTime { write: id, slot, after, watcher, revision });
        }
    }

    fn too_old(&mut self, look: &Look<'_>) {
        let Floor { place, revision, acknowledged } = self.floor;
        let Some(id) = place.checked_sub(1).and_then(|index| self.writes.get(index)).map(|write| write.id)
        else {
            return;
        };
        let (slot, watcher, saw, server) =
            (self.slot.clone(), look.watcher.clone(), Seen::from(look.saw), look.server.to_owned());
        self.violations.push(if acknowledged {
            let (acknowledged, by, revision) = (id, revision, look.revision);
            Violation::Lost { acknowledged, slot, by, watcher, saw, revision, server }
        } else {
            let (earlier, earlier_revision, revision) = (id, revision, look.revision);
            Violation::WentBack { slot, earlier, earlier_revision, watcher, saw, revision, server }
        });
    }
}

/// Bounds for acknowledgements without a revision: whatever is proposed after one of them happens later, so that the
/// smallest revision among those bounds it.
struct Bounds {
    /// (event of the proposal, smallest revision of it and of all later proposals), by event.
    smallest: Vec<(usize, Revision)>,
}

impl Bounds {
    fn of(writes: &Writes) -> Self {
        let all = writes.by_slot.values().flatten();
        let mut smallest: Vec<_> =
            all.filter_map(|write| Some((write.proposed_at, write.acknowledged?.1?))).collect();
        smallest.sort_unstable();
        let mut least = Revision(u64::MAX);
        for (_, revision) in smallest.iter_mut().rev() {
            least = least.min(*revision);
            *revision = least;
        }
        Self { smallest }
    }

    fn after(&self, event: usize) -> Option<Revision> {
        let from = self.smallest.partition_point(|(at, _)| *at <= event);
        self.smallest.get(from).map(|(_, revision)| *revision)
    }
}

#[cfg(test)]
mod tests;
