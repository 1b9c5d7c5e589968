use super::*;
use crate::event::Event;
use crate::history::History;
use crate::testing::{ack, ack_somewhere, connect, gone, good, progress, put, put_for, refuse, remove, saw};

fn said(events: Vec<Event>) -> Vec<String> {
    let history = History { events };
    let (writes, sights) = (Writes::of(&history).0, Sights::of(&history).0);
    violations(&writes, &sights).iter().map(ToString::to_string).collect()
}

fn east(mut events: Vec<Event>) -> Vec<String> {
    events.insert(0, connect("east", 1));
    events.insert(1, connect("north", 2));
    said(events)
}

#[test]
fn a_good_history_passes() {
    assert!(said(good().events).is_empty());
}

#[test]
fn an_acknowledged_write_that_is_nowhere_is_lost() {
    let lost = |saw, revision| {
        format!(
            "write 1 of demo/a of west, acknowledged at revision 5, is missing: watcher east saw {saw} at revision {revision} of server 1"
        )
    };
    assert_eq!(east(vec![put(1, "a"), ack(1, 5), progress("east", 5)]), [lost("nothing", 5)]);
    assert_eq!(east(vec![put(1, "a"), ack(1, 5), progress("east", 9)]), [lost("nothing", 9)]);
    assert!(east(vec![put(1, "a"), ack(1, 5), progress("east", 4)]).is_empty(), "not yet there");
}

#[test]
fn the_write_before_an_acknowledged_one_is_too_old() {
    let events =
        vec![put(1, "a"), ack(1, 5), put(2, "a"), ack(2, 8), saw("east", 1, "a"), progress("east", 8)];
    assert_eq!(
        east(events),
        [
            "write 2 of demo/a of west, acknowledged at revision 8, is missing: watcher east saw write 1 at revision 8 of server 1"
        ]
    );
}

#[test]
fn a_later_write_without_an_answer_may_have_replaced_it_or_not() {
    let begin = || vec![put(1, "a"), ack(1, 5), put(2, "a")];
    assert!(east([begin(), vec![saw("east", 1, "a"), progress("east", 9)]].concat()).is_empty());
    assert!(east([begin(), vec![saw("east", 2, "a"), progress("east", 9)]].concat()).is_empty());
    let removed = vec![put(1, "a"), ack(1, 5), remove(2, "a"), progress("east", 9)];
    assert!(east(removed).is_empty());
}

#[test]
fn but_not_both() {
    let events = vec![
        put(1, "a"),
        put(2, "a"),
        saw("east", 2, "a"),
        progress("east", 9),
        saw("north", 1, "a"),
        progress("north", 10),
    ];
    assert_eq!(
        east(events),
        [
            "demo/a of west went back: write 2 was seen at revision 9, and watcher north saw write 1 at revision 10 of server 2"
        ]
    );
}

#[test]
fn a_removal_that_was_acknowledged_is_not_undone() {
    let begin = || vec![put(1, "a"), ack(1, 5), remove(2, "a"), ack_somewhere(2), put(3, "b"), ack(3, 9)];
    assert!(east([begin(), vec![saw("east", 1, "a"), progress("east", 8)]].concat()).is_empty());
    assert_eq!(
        east([begin(), vec![saw("east", 1, "a"), saw("east", 3, "b"), progress("east", 9)]].concat()),
        [
            "write 2 of demo/a of west, acknowledged at revision 9, is missing: watcher east saw write 1 at revision 9 of server 1"
        ]
    );
}

#[test]
fn what_was_seen_to_be_gone_does_not_come_back() {
    let events = vec![
        put(1, "a"),
        ack(1, 5),
        remove(2, "a"),
        saw("east", 1, "a"),
        progress("east", 5),
        gone("east", "a"),
        progress("east", 7),
        saw("east", 1, "a"),
        progress("east", 8),
    ];
    assert_eq!(
        east(events),
        [
            "demo/a of west went back: write 2 was seen at revision 7, and watcher east saw write 1 at revision 8 of server 1"
        ]
    );
}

#[test]
fn nothing_may_mean_that_it_is_for_somebody_else() {
    let begin = || vec![put(1, "a"), ack(1, 5), put_for(2, "a", "north"), ack(2, 8)];
    assert!(east([begin(), vec![progress("east", 8)]].concat()).is_empty());
    assert_eq!(
        east([begin(), vec![progress("north", 8)]].concat()),
        [
            "write 2 of demo/a of west, acknowledged at revision 8, is missing: watcher north saw nothing at revision 8 of server 2"
        ]
    );
}

#[test]
fn a_refused_write_does_not_happen() {
    assert_eq!(
        east(vec![put(1, "a"), refuse(1), saw("east", 1, "a"), progress("east", 8)]),
        ["write 1 of demo/a of west was refused, and watcher east saw it at revision 8"]
    );
    assert_eq!(
        east(vec![put(1, "a"), ack(1, 5), remove(2, "a"), refuse(2), progress("east", 8)]),
        [
            "write 1 of demo/a of west, acknowledged at revision 5, is missing: watcher east saw nothing at revision 8 of server 1"
        ]
    );
}

#[test]
fn a_write_does_not_happen_at_a_revision_from_before_it() {
    let events = vec![put(1, "b"), ack(1, 9), put(2, "a"), saw("east", 2, "a"), progress("east", 9)];
    assert!(east(events).contains(
        &"write 2 of demo/a of west was proposed when revision 9 had been acknowledged, and watcher east saw it at revision 9"
            .to_owned()
    ));
}
