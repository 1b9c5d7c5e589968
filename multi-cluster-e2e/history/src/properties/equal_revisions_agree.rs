//! Two watchers at the same revision saw the same: where both may see it the same write, and where one saw a value
//! that is for the other too, the other saw it.

use crate::event::Slot;
use crate::properties::each_slot_moves_forward::Look;
use crate::violation::Violation;
use crate::writes::{Write, Writes};

/// The disagreements among all looks at one slot at one revision.
pub fn violations(slot: &Slot, writes: &[Write], looks: &[Look<'_>]) -> Vec<Violation> {
    // Whoever saw a value is compared with all; those who saw nothing cannot contradict each other.
    let Some((one, place)) = looks.iter().find_map(|look| Some((look, look.place?))) else {
        return Vec::new();
    };
    let Some(write) = writes.get(place) else { return Vec::new() };
    let agrees = |other: &Look<'_>| match other.place {
        Some(other) => other == place,
        None => !Writes::shows(slot, write, other.viewer),
    };
    looks
        .iter()
        .filter(|other| !agrees(other))
        .map(|other| Violation::Disagree {
            revision: one.revision,
            slot: slot.clone(),
            one: one.watcher.clone(),
            one_saw: one.saw.into(),
            other: other.watcher.clone(),
            other_saw: other.saw.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::check::check;
    use crate::event::Event;
    use crate::history::History;
    use crate::testing::{connect, progress, put, put_for, saw, saw_vip};

    fn said(events: Vec<Event>) -> Vec<String> {
        check(&History { events }).violations.iter().map(ToString::to_string).collect()
    }

    fn two_looks(first: Event, second: Option<Event>) -> Vec<Event> {
        let mut events = vec![first, put(2, "a"), connect("east", 1), connect("north", 2)];
        events.extend([saw_vip("east", "a", 1), saw("east", 1, "a"), progress("east", 7)]);
        events.extend(second.into_iter().flat_map(|event| [saw_vip("north", "a", 1), event]));
        events.push(progress("north", 7));
        events
    }

    #[test]
    fn the_same_write_or_none_where_it_is_not_for_one_of_them_is_fine() {
        assert!(said(two_looks(put(1, "a"), Some(saw("north", 1, "a")))).is_empty());
        assert!(said(two_looks(put_for(1, "a", "east"), None)).is_empty());
    }

    #[test]
    fn another_write_or_none_where_there_should_be_one_is_found() {
        assert!(
            said(two_looks(put(1, "a"), Some(saw("north", 2, "a")))).contains(
                &"at revision 7 watcher east saw write 1 in demo/a of west, and watcher north saw write 2"
                    .to_owned()
            )
        );
        assert!(
            said(two_looks(put(1, "a"), None)).contains(
                &"at revision 7 watcher east saw write 1 in demo/a of west, and watcher north saw nothing"
                    .to_owned()
            )
        );
    }
}
