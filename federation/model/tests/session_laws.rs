//! Laws of publish sessions: whatever is delayed or repeated, the catalogue holds what the newest stream of a cluster said
//! last, as if everything had come once, in order, and nothing of a stream after the next one had opened.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test may panic")]

use std::collections::BTreeMap;

use federation_model::bundle::AuthorityDer;
use federation_model::command::Registration;
use federation_model::export::SessionAffinity;
use federation_model::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that an agent says in a stream.
#[derive(Debug, Clone)]
enum Say {
    Put(u8),
    Remove(u8),
    Bundle,
    /// The registration again, with another region.
    Hello,
}

/// One publish stream, in the order in which the streams open.
#[derive(Debug, Clone)]
struct Stream {
    /// Of two agents, which.
    agent: u8,
    says: Vec<Say>,
    /// How much of it arrives before the next stream opens; the rest comes too late. All of the last stream arrives.
    arrive: Index,
}

fn stream() -> impl Strategy<Value = Stream> {
    let say = prop_oneof![
        4 => (0..3u8).prop_map(Say::Put),
        2 => (0..3u8).prop_map(Say::Remove),
        1 => Just(Say::Bundle),
        1 => Just(Say::Hello),
    ];
    (1..3u8, vec(say, 0..8), any::<Index>()).prop_map(|(agent, says, arrive)| Stream { agent, says, arrive })
}

fn cluster() -> ClusterId {
    "east".parse().unwrap()
}

fn instance(agent: u8) -> InstanceId {
    format!("{agent:032x}").parse().unwrap()
}

/// An export whose content tells when it was said.
fn export(service: u8, generation: Generation) -> Export {
    Export {
        cluster: cluster(),
        service: format!("demo/s{service}").parse().unwrap(),
        first_seen: UnixMillis(0),
        generation,
        kind: ExportKind::Headless,
        ports: Vec::new(),
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::from([("said".to_owned(), generation.to_string())]),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: Vec::new(),
        endpoints: Vec::new(),
    }
}

/// The commands of stream number `number`; the first opens it. Generations go on over all streams, since an agent counts
/// above what the federation shows it.
fn commands(number: u64, stream: &Stream, counter: &mut u64) -> Vec<Command> {
    let session = SessionNumber(number);
    let open = |hello: u64, region: Option<String>| Command::OpenSession {
        session,
        hello,
        stream: StreamId(1_000 + number),
        registration: Registration {
            cluster: cluster(),
            instance: instance(stream.agent),
            network: "n".parse().unwrap(),
            region: region.map(|region| region.parse().unwrap()),
            zone: None,
            trust_domain: "east.lab".parse().unwrap(),
            gateways: Vec::new(),
        },
    };
    let mut commands = vec![open(0, None)];
    for say in &stream.says {
        *counter += 1;
        let generation = Generation(*counter);
        let instance = instance(stream.agent);
        commands.push(match say {
            Say::Put(service) => {
                Command::PutExport { instance, session, export: Box::new(export(*service, generation)) }
            }
            Say::Remove(service) => {
                let service = format!("demo/s{service}").parse().unwrap();
                Command::RemoveExport { cluster: cluster(), instance, session, service, generation }
            }
            Say::Bundle => {
                let authorities = vec![AuthorityDer(counter.to_be_bytes().to_vec())];
                let trust_domain = "east.lab".parse().unwrap();
                let bundle = Bundle { trust_domain, authorities, sequence: *counter, refresh_hint: 1 };
                Command::PutBundle { cluster: cluster(), instance, session, bundle }
            }
            Say::Hello => open(*counter, Some(format!("r{counter}"))),
        });
    }
    commands
}

/// A machine that applies one command per entry.
#[derive(Default)]
struct Machine {
    state: State,
    now: u64,
}

impl Machine {
    fn apply(&mut self, command: Command) -> Result<(), Rejection> {
        let revision = Revision(self.state.revision().0 + 1);
        let batch = Batch { at: UnixMillis(self.now), commands: vec![command] };
        let outcome = self.state.apply(revision, &batch).outcomes.remove(0);
        assert_eq!(self.state.violations(), Vec::<String>::new());
        outcome
    }

    /// What watchers see of the cluster, but for when its lease ends.
    fn content(&self) -> (Vec<Export>, Vec<Bundle>, Option<Region>) {
        let region = self.state.cluster(&cluster()).and_then(|cluster| cluster.region.clone());
        let exports = self.state.exports().cloned().map(|e| Export { first_seen: UnixMillis(0), ..e });
        (exports.collect(), self.state.bundles().cloned().collect(), region)
    }
}

proptest! {
    #[test]
    fn what_is_late_or_repeated_changes_nothing(
        streams in vec(stream(), 1..5),
        noise in vec((any::<Index>(), any::<bool>()), 0..60),
    ) {
        let (mut clean, mut noisy) = (Machine::default(), Machine::default());
        let mut noise = noise.into_iter();
        let mut counter = 0;
        // Whatever was ever proposed may come again, or for the first time, at any later moment.
        let mut proposed: Vec<Command> = Vec::new();
        let mut late: Vec<Command> = Vec::new();
        for (number, stream) in (1..).zip(&streams) {
            let said = commands(number, stream, &mut counter);
            let last = number == streams.len() as u64;
            let arrive = if last { said.len() } else { 1 + stream.arrive.index(said.len()) };
            for (at, command) in said.iter().take(arrive).enumerate() {
                while let Some((which, true)) = noise.next() {
                    if !proposed.is_empty() {
                        let _ = noisy.apply(proposed[which.index(proposed.len())].clone());
                    }
                }
                for machine in [&mut clean, &mut noisy] {
                    if at == 0 {
                        // The lease of whoever spoke before has run out; otherwise another agent has to wait.
                        machine.now += 100_000;
                        prop_assert_eq!(machine.apply(Command::ExpireLeases), Ok(()));
                    }
                    prop_assert_eq!(machine.apply(command.clone()), Ok(()));
                }
                proposed.push(command.clone());
                // From here on the rest of the stream before is too late.
                proposed.append(&mut late);
            }
            late.extend(said.into_iter().skip(arrive));
            let renewal = Command::RenewLease { cluster: cluster(), instance: instance(stream.agent) };
            proposed.push(renewal);
        }
        for (which, _) in noise {
            let _ = noisy.apply(proposed[which.index(proposed.len())].clone());
        }
        prop_assert_eq!(noisy.content(), clean.content());
    }
}
