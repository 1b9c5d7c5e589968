//! Tables of single steps. What holds after any sequence is in `tests/apply_laws.rs`.

mod audit;
mod exports;
mod leases;
mod sessions;
mod tokens;
mod trust;
mod visibility;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use super::*;
use crate::cluster::LEASE_MILLIS;
use crate::command::{Batch, Command, Registration};
use crate::export::{
    Export, ExportKind, ExportScope, Locality, MtlsMode, Protocol, ServicePort, SessionAffinity,
};
use crate::ids::{Generation, InstanceId, SessionNumber, StreamId, UnixMillis};
use crate::item::{Item, ItemKey};
use crate::rejection::Rejection;

fn cluster(name: &str) -> ClusterId {
    name.parse().unwrap()
}

fn service(name: &str) -> ServiceId {
    format!("demo/{name}").parse().unwrap()
}

/// The agent number `n`.
fn instance(n: u8) -> InstanceId {
    format!("{n:032x}").parse().unwrap()
}

fn domain(name: &str) -> TrustDomain {
    name.parse().unwrap()
}

/// A state with a clock: each command is an entry of its own.
#[derive(Debug, Default)]
struct Machine {
    state: State,
    now: u64,
}

impl Machine {
    /// With these clusters registered at time 0, each by its agent 1.
    fn with_clusters(names: &[&str]) -> Self {
        let mut machine = Self::default();
        for name in names {
            machine.accept(register(name, 1));
        }
        machine
    }

    fn apply(&mut self, command: Command) -> Applied {
        let revision = Revision(self.state.revision().0 + 1);
        let applied =
            self.state.apply(revision, &Batch { at: UnixMillis(self.now), commands: vec![command] });
        assert_eq!(self.state.revision(), revision);
        assert_eq!(self.state.violations(), Vec::<String>::new());
        assert_eq!(applied.outcomes.len(), 1);
        applied
    }

    /// Applies a command that must succeed; what it changed.
    fn accept(&mut self, command: Command) -> Vec<ItemKey> {
        let applied = self.apply(command);
        assert_eq!(applied.outcomes, [Ok(())]);
        applied.changed
    }

    /// Applies a command that must be refused and change nothing but the revision.
    fn refuse(&mut self, command: Command) -> Rejection {
        let before = self.state.clone();
        let applied = self.apply(command);
        assert_eq!(applied.changed, []);
        assert_eq!(State { revision: self.state.revision(), now: self.state.now(), ..before }, self.state);
        applied.outcomes.into_iter().next().and_then(Result::err).expect("the command was not refused")
    }

    fn put(&mut self, export: Export) -> Vec<ItemKey> {
        self.accept(put(1, export))
    }
}

fn registration(name: &str, agent: u8) -> Registration {
    Registration {
        cluster: cluster(name),
        instance: instance(agent),
        network: name.parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: domain(&format!("{name}.lab")),
        gateways: Vec::new(),
    }
}

fn register(name: &str, agent: u8) -> Command {
    Command::RegisterCluster(registration(name, agent))
}

fn renew(name: &str, agent: u8) -> Command {
    Command::RenewLease { cluster: cluster(name), instance: instance(agent) }
}

fn export(cluster_name: &str, service_name: &str, generation: u64) -> Export {
    Export {
        cluster: cluster(cluster_name),
        service: service(service_name),
        first_seen: UnixMillis(0),
        generation: Generation(generation),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            app_protocol: None,
            port: NonZeroU16::new(80).unwrap(),
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready: 1, total: 1 }],
        endpoints: Vec::new(),
    }
}

/// An export of `service_name` to those of `scope`.
pub(super) fn export_with(cluster_name: &str, service_name: &str, scope: ExportScope) -> Export {
    Export { scope, ..export(cluster_name, service_name, 1) }
}

fn put(agent: u8, export: Export) -> Command {
    put_in(0, agent, export)
}

/// In session number `session`.
fn put_in(session: u64, agent: u8, export: Export) -> Command {
    let session = SessionNumber(session);
    Command::PutExport { instance: instance(agent), session, export: Box::new(export) }
}

fn remove(cluster_name: &str, service_name: &str, generation: u64) -> Command {
    remove_in(0, cluster_name, service_name, generation)
}

fn remove_in(session: u64, cluster_name: &str, service_name: &str, generation: u64) -> Command {
    Command::RemoveExport {
        session: SessionNumber(session),
        cluster: cluster(cluster_name),
        instance: instance(1),
        service: service(service_name),
        generation: Generation(generation),
    }
}

fn put_bundle_in(session: u64, from: &str, bundle: Bundle) -> Command {
    let session = SessionNumber(session);
    Command::PutBundle { cluster: cluster(from), instance: instance(1), session, bundle }
}

/// Stream number `stream` of agent number `agent` asks for session number `session`.
fn open(name: &str, agent: u8, session: u64, stream: u64) -> Command {
    let (session, stream) = (SessionNumber(session), StreamId(stream));
    Command::OpenSession { session, stream, hello: 0, registration: registration(name, agent) }
}

fn only(names: &[&str]) -> ExportScope {
    ExportScope::Clusters(names.iter().map(|name| cluster(name)).collect())
}

#[test]
fn the_first_batch_begins_an_incarnation_and_no_other_does() {
    let mut state = State::default();
    state.skip_to(Revision(3));
    assert_eq!(state.incarnation(), Incarnation(0));
    for (revision, at) in [(4, 70), (5, 80)] {
        let batch = Batch { at: UnixMillis(at), commands: vec![register("east", 1)] };
        state.apply(Revision(revision), &batch);
        assert_eq!(state.incarnation(), Incarnation(70));
    }
}

#[test]
fn a_state_from_before_there_were_incarnations_gets_none() {
    let mut machine = Machine { now: 5, ..Machine::default() };
    machine.accept(register("east", 1));
    assert_eq!(machine.state.incarnation(), Incarnation(5));
    let mut old = serde_json::to_value(&machine.state).unwrap();
    old.as_object_mut().unwrap().remove("incarnation");
    machine.state = serde_json::from_value(old).unwrap();
    machine.now = 90;
    machine.put(export("east", "echo", 1));
    assert_eq!(machine.state.incarnation(), Incarnation(0));
}
