use super::*;
use crate::cluster::{Gateway, Lease, MAX_GATEWAYS};

fn lease(machine: &Machine, name: &str) -> Lease {
    machine.state.cluster(&cluster(name)).unwrap().lease.clone()
}

fn held(agent: u8, until: u64) -> Lease {
    Lease::Held { instance: instance(agent), until: UnixMillis(until) }
}

#[test]
fn registering_takes_the_lease() {
    let mut machine = Machine { now: 100, ..Machine::default() };
    assert_eq!(machine.accept(register("east", 1)), [ItemKey::Cluster(cluster("east"))]);
    assert_eq!(lease(&machine, "east"), held(1, 100 + LEASE_MILLIS));
    assert_eq!(machine.state.next_lease_due(), Some(UnixMillis(100 + LEASE_MILLIS)));
}

#[test]
fn registering_again_replaces_what_was_said() {
    let mut machine = Machine::with_clusters(&["east"]);
    let moved = Registration { region: Some("eu".parse().unwrap()), ..registration("east", 1) };
    assert_eq!(machine.accept(Command::RegisterCluster(moved.clone())), [ItemKey::Cluster(cluster("east"))]);
    assert_eq!(machine.state.cluster(&cluster("east")).unwrap().region, moved.region);
}

#[test]
fn a_second_agent_is_refused_until_the_lease_has_expired() {
    let mut machine = Machine::with_clusters(&["east"]);
    let bundle =
        Bundle { trust_domain: domain("east.lab"), authorities: Vec::new(), sequence: 1, refresh_hint: 60 };
    let session = SessionNumber(0);
    let foreign = [
        register("east", 2),
        renew("east", 2),
        put(2, export("east", "echo", 1)),
        Command::RemoveExport {
            cluster: cluster("east"),
            instance: instance(2),
            session,
            service: service("echo"),
            generation: Generation(1),
        },
        Command::PutBundle { cluster: cluster("east"), instance: instance(2), session, bundle },
    ];
    let refused = Rejection::HeldByAnother { cluster: cluster("east"), until: UnixMillis(LEASE_MILLIS) };
    for command in foreign {
        assert_eq!(machine.refuse(command), refused);
    }
    // Time alone does not expire a lease: every server must see it expire at the same entry.
    machine.now = LEASE_MILLIS;
    assert_eq!(machine.refuse(register("east", 2)), refused);
    machine.accept(Command::ExpireLeases);
    machine.accept(register("east", 2));
    assert_eq!(lease(&machine, "east"), held(2, 2 * LEASE_MILLIS));
    assert!(matches!(machine.refuse(renew("east", 1)), Rejection::HeldByAnother { .. }));
}

#[test]
fn only_due_leases_expire_and_exports_stay() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.put(export("east", "echo", 1));
    machine.now = 1;
    machine.accept(register("west", 1));
    machine.now = LEASE_MILLIS - 1;
    assert_eq!(machine.accept(Command::ExpireLeases), []);
    machine.now = LEASE_MILLIS;
    assert_eq!(machine.accept(Command::ExpireLeases), [ItemKey::Cluster(cluster("east"))]);
    assert_eq!(lease(&machine, "east"), Lease::Expired { at: UnixMillis(LEASE_MILLIS) });
    assert_eq!(lease(&machine, "west"), held(1, LEASE_MILLIS + 1));
    assert_eq!(machine.state.exports().count(), 1);
    // Expiring twice is no news.
    assert_eq!(machine.accept(Command::ExpireLeases), []);
}

#[test]
fn a_renewal_is_news_only_when_the_cluster_comes_back() {
    let mut machine = Machine::with_clusters(&["east"]);
    machine.now = 3_000;
    assert_eq!(machine.accept(renew("east", 1)), []);
    assert_eq!(lease(&machine, "east"), held(1, 3_000 + LEASE_MILLIS));
    machine.now = 60_000;
    machine.accept(Command::ExpireLeases);
    assert_eq!(machine.state.next_lease_due(), None);
    assert_eq!(machine.accept(renew("east", 1)), [ItemKey::Cluster(cluster("east"))]);
    assert_eq!(lease(&machine, "east"), held(1, 60_000 + LEASE_MILLIS));
}

#[test]
fn a_leader_whose_clock_is_behind_shortens_no_lease() {
    for again in [renew("east", 1), register("east", 1)] {
        let mut machine = Machine { now: 5_000, ..Machine::default() };
        machine.accept(register("east", 1));
        machine.now = 2_000;
        machine.accept(again);
        assert_eq!(lease(&machine, "east"), held(1, 5_000 + LEASE_MILLIS));
    }
}

#[test]
fn time_stands_still_rather_than_going_back() {
    let mut machine = Machine { now: 5_000, ..Machine::with_clusters(&["east"]) };
    machine.accept(Command::ExpireLeases);
    machine.now = 2_000;
    machine.put(export("east", "echo", 1));
    let export = machine.state.export(&service("echo"), &cluster("east")).unwrap();
    assert_eq!((export.first_seen, machine.state.now()), (UnixMillis(5_000), UnixMillis(5_000)));
    // A state from before it held the time begins where the next entry is.
    let mut old = serde_json::to_value(&machine.state).unwrap();
    old.as_object_mut().unwrap().remove("now");
    let old: State = serde_json::from_value(old).unwrap();
    assert_eq!(old.now(), UnixMillis(0));
}

#[test]
fn nothing_is_accepted_from_a_cluster_that_never_registered() {
    let mut machine = Machine::default();
    let unknown = Rejection::UnknownCluster { cluster: cluster("east") };
    for command in [renew("east", 1), put(1, export("east", "echo", 1)), remove("east", "echo", 1)] {
        assert_eq!(machine.refuse(command), unknown);
    }
}

#[test]
fn gateways_are_bounded() {
    let gateway = Gateway { address: "127.0.0.1:15443".parse().unwrap(), zone: None, weight: 1 };
    let with = |count| {
        let gateways = vec![gateway.clone(); count];
        Command::RegisterCluster(Registration { gateways, ..registration("east", 1) })
    };
    let mut machine = Machine::default();
    machine.accept(with(MAX_GATEWAYS));
    let refused = machine.refuse(with(MAX_GATEWAYS + 1));
    assert_eq!(refused, Rejection::TooMany { what: "gateways".to_owned(), given: 65, max: 64 });
}

#[test]
fn one_refused_command_of_a_batch_does_not_stop_the_others() {
    let mut state = State::default();
    let commands = vec![register("east", 1), renew("west", 1), put(1, export("east", "echo", 1))];
    let applied = state.apply(Revision(7), &Batch { at: UnixMillis(1), commands });
    let refused = Err(Rejection::UnknownCluster { cluster: cluster("west") });
    assert_eq!(applied.outcomes, [Ok(()), refused, Ok(())]);
    assert_eq!(state.revision(), Revision(7));
    assert_eq!(
        applied.changed,
        [
            ItemKey::Cluster(cluster("east")),
            ItemKey::Vip(service("echo")),
            ItemKey::Export(service("echo"), cluster("east")),
        ]
    );
}
