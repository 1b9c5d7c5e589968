use super::*;
use crate::audit::{Actor, Change, Operation, Operator, Record};
use crate::token::{KeyHash, TokenHash};

fn said(machine: &Machine) -> Vec<(Actor, Change)> {
    machine.state.audit().after(0).map(|record| (record.actor.clone(), record.change.clone())).collect()
}

fn agent(name: &str) -> Actor {
    Actor::Agent(cluster(name))
}

#[test]
fn each_change_is_recorded_once_with_who_made_it() {
    let mut machine = Machine::default();
    let east = || agent("east");
    let operator = || Operator::of_certificate("ann");
    let (hash, expires) = (TokenHash([1; 32]), UnixMillis(1_000));
    let create = || Command::CreateToken { hash, cluster: cluster("east"), expires, by: Some(operator()) };
    let redeem = || Command::RedeemToken { hash, cluster: cluster("east"), key: KeyHash([2; 32]) };
    let saved = Command::Operated { by: operator(), operation: Operation::BackupSaved };
    let mut elsewhere = export("east", "a", 3);
    elsewhere.localities = vec![];
    let mut narrower = export("east", "a", 4);
    narrower.scope = only(&["west"]);
    let commands = [
        create(),
        // What is asked for again changes nothing.
        create(),
        redeem(),
        redeem(),
        register("east", 1),
        register("east", 1),
        renew("east", 1),
        put(1, export("east", "a", 1)),
        put(1, export("east", "a", 2)),
        put(1, elsewhere),
        put(1, narrower),
        remove("east", "a", 9),
        remove("east", "a", 9),
        saved,
    ];
    for command in commands {
        machine.accept(command);
    }
    machine.now = LEASE_MILLIS;
    machine.accept(Command::ExpireLeases);
    machine.accept(renew("east", 1));

    let service = || service("a");
    let token = Change::TokenCreated { cluster: cluster("east"), expires };
    let expected = [
        (Actor::Operator(operator()), token),
        (east(), Change::TokenRedeemed),
        (east(), Change::ClusterRegistered),
        (east(), Change::ExportAdded { service: service() }),
        (east(), Change::EndpointsChanged { service: service() }),
        (east(), Change::ExportChanged { service: service() }),
        (east(), Change::ExportRemoved { service: service() }),
        (Actor::Operator(operator()), Change::Operated(Operation::BackupSaved)),
        (Actor::Servers, Change::LeaseExpired { cluster: cluster("east") }),
        (east(), Change::ClusterRegistered),
    ];
    assert_eq!(said(&machine), expected);
    let last = machine.state.audit().after(9).next().cloned();
    let at = UnixMillis(LEASE_MILLIS);
    let (actor, change) = (east(), Change::ClusterRegistered);
    assert_eq!(last, Some(Record { number: 10, revision: Revision(16), at, actor, change }));
}

#[test]
fn what_is_refused_is_no_change() {
    let mut machine = Machine::with_clusters(&["east"]);
    let before = machine.state.audit().last();
    machine.refuse(register("east", 2));
    machine.refuse(put(2, export("east", "a", 1)));
    assert_eq!(machine.state.audit().last(), before);
}

#[test]
fn a_state_of_a_version_without_audit_is_read() {
    let machine = Machine::with_clusters(&["east"]);
    let mut written = serde_json::to_value(&machine.state).unwrap();
    written.as_object_mut().unwrap().remove("audit").unwrap();
    let read: State = serde_json::from_value(written).unwrap();
    assert_eq!(State { audit: machine.state.audit.clone(), ..read.clone() }, machine.state);
    assert_eq!(read.audit().last(), 0);
}
