use super::*;

fn fenced(present: u64) -> Rejection {
    Rejection::Fenced { cluster: cluster("east"), present: SessionNumber(present) }
}

fn stale(given: u64, present: u64) -> Rejection {
    let (given, present) = (Generation(given), Generation(present));
    Rejection::StaleGeneration { service: service("echo"), given, present }
}

fn bundle(sequence: u64) -> Bundle {
    Bundle { trust_domain: domain("east.lab"), authorities: Vec::new(), sequence, refresh_hint: 60 }
}

#[test]
fn a_new_session_fences_everything_of_the_last_also_of_the_same_agent() {
    let mut machine = Machine::default();
    machine.accept(open("east", 1, 1, 11));
    machine.accept(put_in(1, 1, export("east", "echo", 1)));
    machine.accept(open("east", 1, 2, 12));
    assert_eq!(machine.refuse(put_in(1, 1, export("east", "echo", 9))), fenced(2));
    assert_eq!(machine.refuse(remove_in(1, "east", "echo", 9)), fenced(2));
    assert_eq!(machine.refuse(put_bundle_in(1, "east", bundle(1))), fenced(2));
    machine.accept(put_in(2, 1, export("east", "echo", 2)));
    machine.accept(put_bundle_in(2, "east", bundle(2)));
    machine.accept(remove_in(2, "east", "echo", 3));
}

#[test]
fn a_number_is_given_to_one_stream_which_may_repeat_itself() {
    let mut machine = Machine::default();
    machine.accept(open("east", 1, 3, 11));
    for (session, stream) in [(3, 12), (2, 11), (2, 12), (0, 11)] {
        assert_eq!(machine.refuse(open("east", 1, session, stream)), fenced(3), "{session} {stream}");
    }
    machine.accept(put_in(3, 1, export("east", "echo", 1)));
    machine.accept(remove_in(3, "east", "echo", 2));
    // Repeated, it forgets nothing, and what it says anew counts.
    let moved = Registration { region: Some("eu".parse().unwrap()), ..registration("east", 1) };
    let (session, stream) = (SessionNumber(3), StreamId(11));
    machine.accept(Command::OpenSession { session, stream, hello: 1, registration: moved.clone() });
    assert_eq!(machine.accept(open("east", 1, 3, 11)), []);
    assert_eq!(machine.state.cluster(&cluster("east")).unwrap().region, moved.region);
    assert_eq!(machine.refuse(put_in(3, 1, export("east", "echo", 1))), stale(1, 2));
}

#[test]
fn another_agent_opens_a_session_only_when_the_lease_is_free_and_keeps_it_then() {
    let mut machine = Machine::default();
    machine.accept(open("east", 1, 1, 11));
    assert!(matches!(machine.refuse(open("east", 2, 2, 21)), Rejection::HeldByAnother { .. }));
    machine.now = LEASE_MILLIS;
    machine.accept(Command::ExpireLeases);
    // The same agent comes back to life by a mere renewal, in the same session.
    machine.accept(renew("east", 1));
    machine.accept(put_in(1, 1, export("east", "echo", 1)));
    machine.now = 2 * LEASE_MILLIS;
    machine.accept(Command::ExpireLeases);
    machine.accept(open("east", 2, 2, 21));
    machine.now = 3 * LEASE_MILLIS;
    machine.accept(Command::ExpireLeases);
    // Nobody holds the lease, and still nothing of the first agent gets through.
    assert_eq!(machine.refuse(renew("east", 1)), fenced(2));
    assert_eq!(machine.refuse(put_in(1, 1, export("east", "echo", 5))), fenced(2));
    assert_eq!(machine.refuse(open("east", 1, 2, 12)), fenced(2));
    machine.accept(renew("east", 2));
}

#[test]
fn a_late_put_does_not_bring_back_what_was_withdrawn() {
    let mut machine = Machine::default();
    machine.accept(open("east", 1, 1, 11));
    machine.accept(put_in(1, 1, export("east", "echo", 1)));
    machine.accept(remove_in(1, "east", "echo", 2));
    for late in [1, 2] {
        assert_eq!(machine.refuse(put_in(1, 1, export("east", "echo", late))), stale(late, 2));
    }
    machine.accept(put_in(1, 1, export("east", "echo", 3)));
    // A withdrawal that is applied before the put that it takes back.
    machine.accept(remove_in(1, "east", "other", 7));
    assert!(matches!(
        machine.refuse(put_in(1, 1, export("east", "other", 6))),
        Rejection::StaleGeneration { .. }
    ));
    // A new stream says all anew, under the generations that it knows.
    machine.accept(remove_in(1, "east", "echo", 4));
    machine.accept(open("east", 1, 2, 12));
    machine.accept(put_in(2, 1, export("east", "echo", 3)));
}

#[test]
fn opening_a_session_is_news_only_if_the_cluster_looks_different() {
    let mut machine = Machine::default();
    assert_eq!(machine.accept(open("east", 1, 1, 11)), [ItemKey::Cluster(cluster("east"))]);
    assert_eq!(machine.accept(open("east", 1, 2, 12)), []);
    machine.now = LEASE_MILLIS;
    machine.accept(Command::ExpireLeases);
    assert_eq!(machine.accept(open("east", 2, 3, 21)), [ItemKey::Cluster(cluster("east"))]);
}

#[test]
fn what_was_written_before_there_were_sessions_is_read_and_applied() {
    let mut put_before = serde_json::to_value(put(1, export("east", "echo", 1))).unwrap();
    put_before["PutExport"].as_object_mut().unwrap().remove("session").unwrap();
    let mut machine = Machine::default();
    machine.accept(register("east", 1));
    machine.accept(serde_json::from_value(put_before.clone()).unwrap());
    let mut before = serde_json::to_value(&machine.state).unwrap();
    before.as_object_mut().unwrap().remove("sessions").unwrap();
    machine.state = serde_json::from_value(before).unwrap();
    machine.accept(open("east", 1, 1, 11));
    assert_eq!(machine.refuse(serde_json::from_value(put_before).unwrap()), fenced(1));
    assert_eq!(machine.refuse(register("east", 1)), fenced(1));
}
