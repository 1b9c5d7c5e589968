use federation_api::convert::item::encoded;
use federation_model::{Bundle, Item};
use prost::Message as _;

use super::*;

fn bundle(domain: &str) -> Item {
    Item::Bundle(Bundle {
        trust_domain: domain.parse().unwrap(),
        authorities: vec![],
        sequence: 1,
        refresh_hint: 1,
    })
}

fn message(message: Message) -> wire::WatchResponse {
    wire::WatchResponse { message: Some(message) }
}

fn begin() -> wire::WatchResponse {
    message(Message::SnapshotBegin(wire::SnapshotBegin {}))
}

fn upsert(domain: &str) -> wire::WatchResponse {
    message(Message::Upsert(encoded(&bundle(domain))))
}

fn remove(domain: &str) -> wire::WatchResponse {
    message(Message::Remove((&bundle(domain).key()).into()))
}

fn end(revision: u64) -> wire::WatchResponse {
    end_of(1, revision)
}

fn end_of(incarnation: u64, revision: u64) -> wire::WatchResponse {
    message(Message::SnapshotEnd(wire::SnapshotEnd { revision, incarnation }))
}

fn progress(revision: u64) -> wire::WatchResponse {
    message(Message::Progress(wire::Progress { revision, leader_unix_millis: 5 }))
}

/// Domains of the views published on the way, with their revisions.
fn feed(
    assembler: &mut Assembler,
    messages: impl IntoIterator<Item = wire::WatchResponse>,
) -> Vec<(u64, String)> {
    let mut published = Vec::new();
    for message in messages {
        if let Step::Consistent { view: Some(view), .. } = assembler.apply(message).unwrap() {
            let names: Vec<_> = view.bundles.keys().map(ToString::to_string).collect();
            published.push((view.revision.0, names.join(",")));
        }
    }
    published
}

fn empty() -> Assembler {
    Assembler::new(Arc::default())
}

#[test]
fn a_snapshot_appears_whole_and_replaces_everything() {
    let mut assembler = empty();
    assert_eq!(feed(&mut assembler, [begin(), upsert("a"), upsert("b"), end(7)]), [(7, "a,b".to_owned())]);
    assert_eq!(feed(&mut assembler, [begin(), upsert("c"), end(9)]), [(9, "c".to_owned())]);
    assert_eq!(assembler.begin().1, Revision(9));
}

#[test]
fn changes_appear_together_at_progress() {
    let mut assembler = empty();
    feed(&mut assembler, [begin(), upsert("a"), end(7)]);
    assert_eq!(feed(&mut assembler, [upsert("b"), remove("a"), upsert("c")]), []);
    assert_eq!(feed(&mut assembler, [progress(9)]), [(9, "b,c".to_owned())]);
}

#[test]
fn progress_without_change_moves_the_revision_and_publishes_nothing() {
    let mut assembler = empty();
    feed(&mut assembler, [begin(), upsert("a"), end(7)]);
    let step = assembler.apply(progress(12)).unwrap();
    let expected = Step::Consistent { revision: Revision(12), leader_time: Some(UnixMillis(5)), view: None };
    assert_eq!(step, expected);
    assert_eq!(assembler.begin().1, Revision(12));
    // A server that lags behind the last one does not take us back.
    assembler.apply(progress(3)).unwrap();
    assert_eq!(assembler.begin().1, Revision(12));
}

#[test]
fn what_a_lost_stream_left_unfinished_is_forgotten() {
    let mut assembler = empty();
    feed(&mut assembler, [begin(), upsert("a"), end(7)]);
    feed(&mut assembler, [begin(), upsert("x")]);
    assert_eq!(assembler.begin().1, Revision(7));
    feed(&mut assembler, [upsert("y"), remove("a")]);
    assert_eq!(assembler.begin().1, Revision(7));
    assert_eq!(feed(&mut assembler, [upsert("b"), progress(8)]), [(8, "a,b".to_owned())]);
}

#[test]
fn it_continues_from_the_last_known_good() {
    let mut view = FederationView { revision: Revision(40), ..FederationView::default() };
    view.upsert(bundle("a"));
    let mut assembler = Assembler::new(Arc::new(view));
    assert_eq!(assembler.begin().1, Revision(40));
    assert_eq!(feed(&mut assembler, [upsert("b"), progress(41)]), [(41, "a,b".to_owned())]);
}

#[test]
fn a_snapshot_goes_back_only_with_the_federation_itself() {
    // The last one seen, the one that comes, whether it is taken.
    let cases = [
        ((1, 70), (1, 70), true),
        ((1, 70), (1, 71), true),
        ((1, 70), (1, 69), false),
        ((1, 70), (2, 3), true),
        ((2, 70), (1, 900), false),
        // From before there were incarnations.
        ((0, 70), (1, 3), true),
        ((0, 70), (0, 3), false),
        ((1, 70), (0, 3), true),
    ];
    for (seen, comes, taken) in cases {
        let mut assembler = empty();
        feed(&mut assembler, [begin(), upsert("a"), end_of(seen.0, seen.1)]);
        feed(&mut assembler, [begin(), upsert("b")]);
        let step = assembler.apply(end_of(comes.0, comes.1));
        assert_eq!(step.is_ok(), taken, "{seen:?}, then {comes:?}");
        let now = if taken { comes } else { seen };
        assert_eq!(assembler.begin(), (Incarnation(now.0), Revision(now.1)), "{seen:?}, then {comes:?}");
    }
}

#[test]
fn messages_out_of_place_and_wrong_pieces_break_the_stream() {
    let broken = |messages: Vec<wire::WatchResponse>| {
        let mut assembler = empty();
        let mut steps = messages.into_iter().map(|m| assembler.apply(m));
        steps.find_map(Result::err)
    };
    assert!(matches!(broken(vec![end(1)]), Some(Broken::Protocol(_))));
    assert!(matches!(broken(vec![begin(), progress(1)]), Some(Broken::Protocol(_))));
    assert!(matches!(broken(vec![begin(), remove("a")]), Some(Broken::Protocol(_))));
    let mut wrong = wire::Bundle::from(&Bundle {
        trust_domain: "a".parse().unwrap(),
        authorities: vec![],
        sequence: 1,
        refresh_hint: 1,
    });
    wrong.trust_domain = "NOT A DOMAIN".to_owned();
    let wrong = wire::Item { item: Some(wire::item::Item::Bundle(wrong)) };
    let wrong = message(Message::Upsert(wrong.encode_to_vec().into()));
    assert!(matches!(broken(vec![wrong.clone()]), Some(Broken::Item(_))));
    assert!(matches!(broken(vec![begin(), wrong]), Some(Broken::Item(_))));
    let cut = message(Message::Upsert(encoded(&bundle("a")).slice(1..)));
    assert!(matches!(broken(vec![begin(), cut]), Some(Broken::Item(_))));
}

#[test]
fn kinds_of_a_later_version_are_passed_over() {
    let mut assembler = empty();
    let later = [
        wire::WatchResponse { message: None },
        message(Message::Upsert(Default::default())),
        message(Message::Remove(wire::ItemKey { key: None })),
    ];
    feed(&mut assembler, [begin(), upsert("a"), end(7)]);
    assert_eq!(feed(&mut assembler, later), []);
    assert_eq!(feed(&mut assembler, [progress(8)]), []);
}
