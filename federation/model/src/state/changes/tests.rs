use super::*;

fn key(name: &str) -> ItemKey {
    ItemKey::Cluster(name.parse().unwrap())
}

fn record(changes: &mut Changes, revision: u64, names: &[&str]) {
    changes.record(Revision(revision), UnixMillis(revision), names.iter().map(|name| key(name)), &[]);
}

fn after(changes: &Changes, position: Position) -> Option<Vec<(u64, ItemKey)>> {
    let entry = |(position, change): (Position, &Change)| (position.revision().0, change.key().clone());
    Some(changes.after(position)?.map(entry).collect())
}

#[test]
fn a_reader_gets_each_key_changed_after_its_cursor_once() {
    let mut changes = Changes::new(10, Revision(0));
    record(&mut changes, 1, &["a"]);
    record(&mut changes, 2, &["b", "c"]);
    record(&mut changes, 3, &["b"]);
    assert_eq!(changes.since(Revision(1)), Some(BTreeSet::from([&key("b"), &key("c")])));
    assert_eq!(changes.since(Revision(3)), Some(BTreeSet::new()));
    assert_eq!(changes.since(Revision(9)), Some(BTreeSet::new()));
}

#[test]
fn a_reader_that_stops_in_the_middle_goes_on_there_and_gets_what_changed_again() {
    let mut changes = Changes::new(10, Revision(0));
    record(&mut changes, 1, &["a", "b", "c"]);
    let first = changes.after(Position::end_of(Revision(0))).unwrap().next().unwrap().0;
    assert_eq!(after(&changes, first), Some(vec![(1, key("b")), (1, key("c"))]));
    record(&mut changes, 2, &["b", "a"]);
    assert_eq!(after(&changes, first), Some(vec![(1, key("c")), (2, key("b")), (2, key("a"))]));
}

#[test]
fn a_cursor_older_than_the_list_needs_a_snapshot() {
    let mut changes = Changes::new(2, Revision(0));
    for (revision, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        record(&mut changes, revision, &[name]);
    }
    assert_eq!(changes.since(Revision(1)), None);
    assert_eq!(changes.since(Revision(2)), Some(BTreeSet::from([&key("c"), &key("d")])));
}

#[test]
fn a_key_that_changes_often_pushes_nothing_out() {
    let mut changes = Changes::new(2, Revision(0));
    record(&mut changes, 1, &["a"]);
    for revision in 2..100 {
        record(&mut changes, revision, &["b"]);
    }
    assert_eq!(after(&changes, Position::end_of(Revision(0))), Some(vec![(1, key("a")), (99, key("b"))]));
}

#[test]
fn an_entry_cut_in_half_by_the_bound_is_not_served_in_part() {
    let mut changes = Changes::new(1, Revision(0));
    record(&mut changes, 1, &["a", "b"]);
    assert_eq!(changes.since(Revision(0)), None);
    assert_eq!(changes.since(Revision(1)), Some(BTreeSet::new()));
}

#[test]
fn the_end_of_a_list_serves_like_the_list_as_far_back_as_it_goes() {
    let mut whole = Changes::new(10, Revision(0));
    for (revision, names) in [(1, ["a", "b"]), (2, ["c", "d"]), (4, ["b", "e"])] {
        record(&mut whole, revision, &names);
    }
    for most in 0..8 {
        let written = serde_json::to_string(&whole.tail(most)).unwrap();
        let mut resumed = Changes::resume(10, Revision(4), Some(serde_json::from_str(&written).unwrap()));
        let mut whole = whole.clone();
        for changes in [&mut whole, &mut resumed] {
            record(changes, 5, &["a"]);
        }
        // The list is a, c, d, b, e: three of them begin in the middle of revision 2.
        let reaches = match most {
            0 => 4,
            1 => 4,
            2 | 3 => 2,
            4 => 1,
            _ => 0,
        };
        for cursor in 0..6 {
            let expected = (cursor >= reaches).then(|| whole.since(Revision(cursor)).unwrap());
            assert_eq!(resumed.since(Revision(cursor)), expected, "{most} kept, from {cursor}");
        }
    }
    let nothing = Changes::resume(10, Revision(4), None);
    assert_eq!((nothing.since(Revision(3)), nothing.since(Revision(4))), (None, Some(BTreeSet::new())));
}

#[test]
fn only_who_may_have_seen_a_piece_is_told_that_it_is_gone() {
    let names =
        |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<BTreeSet<ClusterId>>();
    let told = |changes: &Changes| -> Vec<&str> {
        let (_, change) = changes.after(Position::end_of(Revision(0))).unwrap().next().unwrap();
        ["east", "north", "south", "west"]
            .into_iter()
            .filter(|c| change.may_be_lost_to(&c.parse().unwrap()))
            .collect()
    };
    let scoped = |scope| Arc::new(crate::state::tests::export_with("east", "echo", scope));
    let key = || [ItemKey::Export("demo/echo".parse().unwrap(), "east".parse().unwrap())];
    let mut changes = Changes::new(10, Revision(0));
    changes.record(Revision(1), UnixMillis(0), key(), &[]);
    assert!(told(&changes).is_empty());
    changes.record(Revision(2), UnixMillis(0), key(), &[scoped(ExportScope::Clusters(names(&["west"])))]);
    assert_eq!(told(&changes), ["east", "west"]);
    // Whoever lost it earlier may not have been told yet.
    changes.record(Revision(3), UnixMillis(0), key(), &[scoped(ExportScope::Clusters(names(&["south"])))]);
    assert_eq!(told(&changes), ["east", "south", "west"]);
    changes.record(Revision(4), UnixMillis(0), key(), &[scoped(ExportScope::All)]);
    assert_eq!(told(&changes), ["east", "north", "south", "west"]);
    let many = (0..=MAX_NAMES).map(|n| format!("c{n}").parse().unwrap()).collect();
    let mut changes = Changes::new(10, Revision(0));
    changes.record(Revision(1), UnixMillis(0), key(), &[scoped(ExportScope::Clusters(many))]);
    assert_eq!(told(&changes).len(), 4);
}
