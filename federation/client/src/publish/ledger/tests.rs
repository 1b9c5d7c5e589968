use std::collections::BTreeMap;

use federation_api::content_hash::ContentHash;
use federation_model::command::Registration;
use federation_model::export::SessionAffinity;
use federation_model::{Bundle, ExportKind, ExportScope, MtlsMode};
use proptest::prelude::*;

use super::*;

fn service(name: &str) -> ServiceId {
    format!("demo/{name}").parse().unwrap()
}

/// An export whose content differs by `label`.
fn export(name: &str, label: &str) -> Export {
    Export {
        cluster: "east".parse().unwrap(),
        service: service(name),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind: ExportKind::ClusterSetIp,
        ports: vec![],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::from([("label".to_owned(), label.to_owned())]),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![],
        endpoints: vec![],
    }
}

fn desired(exports: &[(&str, &str)]) -> Arc<Desired> {
    Arc::new(Desired {
        registration: Registration {
            cluster: "east".parse().unwrap(),
            instance: "0".repeat(32).parse().unwrap(),
            network: "lab".parse().unwrap(),
            region: None,
            zone: None,
            trust_domain: "east.lab".parse().unwrap(),
            gateways: vec![],
        },
        bundle: Some(Bundle {
            trust_domain: "east.lab".parse().unwrap(),
            authorities: vec![],
            sequence: 1,
            refresh_hint: 1,
        }),
        exports: exports.iter().map(|(name, label)| (service(name), Arc::new(export(name, label)))).collect(),
    })
}

struct Bench {
    ledger: Ledger,
    status: watch::Receiver<PublishStatus>,
    now: u64,
}

impl Bench {
    fn new(exports: &[(&str, &str)]) -> Self {
        let (sender, status) = watch::channel(PublishStatus::default());
        let mut ledger = Ledger::new(desired(exports), "test".to_owned(), sender);
        ledger.begin();
        Self { ledger, status, now: 1_000 }
    }

    fn say(&mut self) -> Option<Say> {
        self.now += 1;
        self.ledger.next(UnixMillis(self.now), |_| None).map(|request| request.message.unwrap())
    }

    /// Says everything to a server that understands no offers. Its answer to the hello is needed to go on.
    fn say_all(&mut self) -> Vec<Say> {
        let mut said = Vec::new();
        while let Some(say) = self.say() {
            if matches!(say, Say::Hello(_)) {
                self.ledger.answer(committed(&say, 1)).unwrap();
            }
            said.push(say);
        }
        said
    }

    fn state(&self, name: &str) -> Option<ItemState> {
        self.status.borrow().exports.get(&service(name)).cloned()
    }
}

fn subject(say: &Say) -> (Subject, u64) {
    match say {
        Say::Hello(hello) => (Subject::Hello(hello.clone()), 0),
        Say::Bundle(bundle) => (Subject::Bundle(bundle.trust_domain.clone()), 0),
        Say::Put(put) => (Subject::Export(put.service.clone().unwrap()), put.generation),
        Say::Remove(remove) => (Subject::Export(remove.service.clone().unwrap()), remove.generation),
        Say::SyncPoint(point) => (Subject::SyncPoint(*point), 0),
        Say::Offer(_) => panic!("an offer is not answered by its subject"),
    }
}

fn committed(say: &Say, revision: u64) -> wire::PublishResponse {
    let (subject, generation) = subject(say);
    let subject = Some(wire::Subject { subject: Some(subject) });
    wire::PublishResponse {
        message: Some(Answer::Committed(wire::Committed { subject, generation, revision, features: vec![] })),
    }
}

fn refused(say: &Say, reason: &str) -> wire::PublishResponse {
    let (subject, generation) = subject(say);
    let subject = Some(wire::Subject { subject: Some(subject) });
    let (reason, message) = (reason.to_owned(), "because".to_owned());
    wire::PublishResponse {
        message: Some(Answer::Refused(wire::Refused {
            subject,
            generation,
            reason,
            message,
            limit: None,
            present: None,
        })),
    }
}

fn words(said: &[Say]) -> Vec<String> {
    let word = |say: &Say| match say {
        Say::Hello(_) => "hello".to_owned(),
        Say::Bundle(_) => "bundle".to_owned(),
        Say::Put(put) => format!("put {} {}", put.service.as_ref().unwrap().name, put.labels["label"]),
        Say::Remove(remove) => format!("remove {}", remove.service.as_ref().unwrap().name),
        Say::Offer(offer) => format!("offer {}", offer.exports.len()),
        Say::SyncPoint(_) => "sync".to_owned(),
    };
    said.iter().map(word).collect()
}

#[test]
fn a_stream_begins_with_everything_and_goes_on_with_what_changes() {
    let mut bench = Bench::new(&[("a", "1"), ("b", "1")]);
    assert_eq!(words(&bench.say_all()), ["hello", "bundle", "put a 1", "put b 1", "sync"]);
    bench.ledger.desire(desired(&[("a", "1"), ("b", "2"), ("c", "1")]));
    assert_eq!(words(&bench.say_all()), ["put b 2", "put c 1"]);
    bench.ledger.desire(desired(&[("a", "1"), ("c", "1")]));
    assert_eq!(words(&bench.say_all()), ["remove b"]);
    bench.ledger.desire(desired(&[("a", "1"), ("c", "1")]));
    assert!(bench.say_all().is_empty());
}

#[test]
fn a_server_that_compares_is_put_what_it_asks_for() {
    let mut bench = Bench::new(&[("a", "1"), ("b", "1"), ("c", "1")]);
    let mut federation = Federation { compares: true, ..Federation::default() };
    federation.exports.insert("a".to_owned(), (9_000, "1".to_owned()));
    federation.exports.insert("b".to_owned(), (9_500, "2".to_owned()));
    let mut said = Vec::new();
    while let Some(say) = bench.say() {
        bench.ledger.answer(federation.hear(&say)).unwrap();
        said.push(say);
    }
    assert_eq!(words(&said), ["hello", "offer 3", "bundle", "put b 1", "put c 1", "sync"]);
    // Counted above all that the federation has, so that nothing is refused as stale.
    assert!(federation.exports.values().all(|(_, label)| label == "1"));
    let committed = ItemState::Committed { generation: Generation(9_000), revision: Revision(2) };
    assert_eq!(bench.state("a"), Some(committed));
    assert!(bench.status.borrow().exports.values().all(|s| matches!(s, ItemState::Committed { .. })));

    // What changes while the offer is on its way is put as it is then.
    bench.ledger.begin();
    let hello = bench.say().unwrap();
    bench.ledger.answer(federation.hear(&hello)).unwrap();
    let offer = bench.say().unwrap();
    bench.ledger.desire(desired(&[("a", "3"), ("b", "1"), ("c", "1")]));
    bench.ledger.answer(federation.hear(&offer)).unwrap();
    assert_eq!(words(&bench.say_all()), ["put a 3", "bundle", "sync"]);
}

#[test]
fn many_exports_are_offered_in_parts() {
    let names: Vec<String> = (0..600).map(|n| format!("s{n}")).collect();
    let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let mut bench = Bench::new(&pairs);
    let mut federation = Federation { compares: true, ..Federation::default() };
    let hello = bench.say().unwrap();
    bench.ledger.answer(federation.hear(&hello)).unwrap();
    let offers = bench.say_all();
    assert_eq!(words(&offers), ["offer 256", "offer 256", "offer 88"]);
    for offer in &offers {
        bench.ledger.answer(federation.hear(offer)).unwrap();
    }
    let rest = words(&bench.say_all());
    assert_eq!((rest.len(), rest[0].as_str(), rest[601].as_str()), (602, "bundle", "sync"));
}

#[test]
fn a_slow_server_hears_only_of_the_last_state() {
    let mut bench = Bench::new(&[]);
    bench.say_all();
    for label in ["1", "2", "3"] {
        bench.ledger.desire(desired(&[("a", label), ("b", label)]));
    }
    bench.ledger.desire(desired(&[("a", "3")]));
    assert_eq!(words(&bench.say_all()), ["put a 3", "remove b"]);
}

#[test]
fn answers_become_states_and_late_ones_are_dropped() {
    let mut bench = Bench::new(&[("a", "1")]);
    let first = bench.say_all();
    assert_eq!(bench.ledger.unanswered(), 3);
    bench.ledger.desire(desired(&[("a", "2")]));
    let second = bench.say_all();
    for say in &first {
        bench.ledger.answer(committed(say, 7)).unwrap();
    }
    assert_eq!(bench.state("a"), Some(ItemState::Pending), "the answer is about what was before");
    assert_eq!(bench.status.borrow().synced, Some(Revision(7)));
    assert!(matches!(bench.status.borrow().bundle, Some(ItemState::Committed { .. })));
    bench.ledger.answer(committed(&second[0], 8)).unwrap();
    let generation = Generation(subject(&second[0]).1);
    assert_eq!(bench.state("a"), Some(ItemState::Committed { generation, revision: Revision(8) }));
    assert!(generation.0 > subject(&first[2]).1);
    assert_eq!(bench.ledger.unanswered(), 0);
}

#[test]
fn a_withdrawal_is_shown_until_it_is_committed() {
    let mut bench = Bench::new(&[("a", "1")]);
    bench.say_all();
    bench.ledger.desire(desired(&[]));
    assert_eq!(bench.state("a"), Some(ItemState::Pending));
    let said = bench.say_all();
    bench.ledger.answer(committed(&said[0], 9)).unwrap();
    assert_eq!(bench.state("a"), None);
}

#[test]
fn a_new_stream_repeats_the_generations_and_leaves_withdrawals_to_the_sync_point() {
    let mut bench = Bench::new(&[("a", "1"), ("b", "1")]);
    let first = bench.say_all();
    bench.ledger.desire(desired(&[("a", "1")]));
    bench.ledger.begin();
    let again = bench.say_all();
    assert_eq!(words(&again), ["hello", "bundle", "put a 1", "sync"]);
    assert_eq!(subject(&again[2]), subject(&first[2]));
    assert_eq!(bench.state("b"), None);
    assert_eq!(bench.ledger.unanswered(), 3);
}

#[test]
fn a_refusal_is_shown_and_said_again_when_told_to() {
    let mut bench = Bench::new(&[("a", "1")]);
    let said = bench.say_all();
    bench.ledger.answer(refused(&said[2], "too_many")).unwrap();
    assert!(matches!(bench.state("a"), Some(ItemState::Refused { reason, .. }) if reason == "too_many"));
    assert!(bench.ledger.has_refused() && !bench.ledger.has_more());
    bench.ledger.retry_refused();
    assert_eq!(subject(&bench.say().unwrap()), subject(&said[2]), "the same generation");
    assert!(!bench.ledger.has_refused());
}

#[test]
fn a_stale_generation_is_counted_above_what_the_federation_has() {
    let mut bench = Bench::new(&[("a", "1")]);
    let said = bench.say_all();
    bench.ledger.answer(refused(&said[2], "stale_generation")).unwrap();
    bench.ledger.retry_refused();
    let again = bench.ledger.next(UnixMillis(5), |_| Some(Generation(1_000_000))).unwrap();
    assert_eq!(subject(&again.message.unwrap()).1, 1_000_001);
}

#[test]
fn a_refused_registration_ends_the_stream() {
    let mut bench = Bench::new(&[]);
    let hello = bench.say().unwrap();
    let error = bench.ledger.answer(refused(&hello, "held_by_another")).unwrap_err();
    assert_eq!(error.reason, "held_by_another");
    assert!(matches!(&bench.status.borrow().registration, ItemState::Refused { .. }));
}

#[test]
fn nonsense_answers_change_nothing() {
    let mut bench = Bench::new(&[("a", "1")]);
    let before = bench.status.borrow().clone();
    let unknown = wire::ServiceId { namespace: "UPPER".to_owned(), name: String::new() };
    let subjects = [None, Some(Subject::Export(unknown)), Some(Subject::Export((&service("z")).into()))];
    for subject in subjects {
        let subject = Some(wire::Subject { subject });
        let committed = wire::Committed { subject, generation: 1, revision: 1, features: vec![7] };
        bench.ledger.answer(wire::PublishResponse { message: Some(Answer::Committed(committed)) }).unwrap();
    }
    bench.ledger.answer(wire::PublishResponse { message: None }).unwrap();
    assert_eq!(*bench.status.borrow(), before);
}

/// A federation that keeps the rules of `State::apply`, reduced to one cluster.
#[derive(Default)]
struct Federation {
    exports: BTreeMap<String, (u64, String)>,
    said: Vec<String>,
    /// Whether it understands offers, and is asked by streams that begin from now on.
    compares: bool,
    revision: u64,
}

impl Federation {
    fn hear(&mut self, say: &Say) -> wire::PublishResponse {
        self.revision += 1;
        match say {
            Say::Hello(_) => {
                self.said.clear();
                let features = if self.compares { vec![wire::Feature::Offer.into(), 99] } else { vec![99] };
                let mut answer = committed(say, self.revision);
                if let Some(Answer::Committed(committed)) = &mut answer.message {
                    committed.features = features;
                }
                return answer;
            }
            Say::Offer(offer) => return self.compare(offer),
            Say::Put(put) => {
                let name = put.service.as_ref().unwrap().name.clone();
                self.said.push(name.clone());
                if self.exports.get(&name).is_some_and(|(generation, _)| *generation > put.generation) {
                    return refused(say, "stale_generation");
                }
                self.exports.insert(name, (put.generation, put.labels["label"].clone()));
            }
            Say::Remove(remove) => {
                let name = &remove.service.as_ref().unwrap().name;
                if self.exports.get(name).is_some_and(|(generation, _)| *generation > remove.generation) {
                    return refused(say, "stale_generation");
                }
                self.exports.remove(name);
            }
            Say::SyncPoint(_) => self.exports.retain(|name, _| self.said.contains(name)),
            Say::Bundle(_) => {}
        }
        committed(say, self.revision)
    }

    fn compare(&mut self, offer: &wire::Offer) -> wire::PublishResponse {
        let mut exports = Vec::new();
        for offered in &offer.exports {
            let name = offered.service.as_ref().unwrap().name.clone();
            exports.push(match self.exports.get(&name) {
                Some((generation, label)) => wire::Known {
                    generation: Some(*generation),
                    same: ContentHash::of_export(&export(&name, label)).is(&offered.content_hash),
                },
                None => wire::Known::default(),
            });
            self.said.push(name);
        }
        let compared = wire::Compared { exports, bundle_same: false, revision: self.revision };
        wire::PublishResponse { message: Some(Answer::Compared(compared)) }
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// The desired set changes.
    Desire(BTreeMap<String, String>),
    /// So many messages are said and answered.
    Talk(usize),
    /// So many messages are said; their answers are lost with the stream.
    Lose(usize),
    /// The next server may be of another version.
    Server(bool),
    /// A new process, with a clock that may have gone back.
    Restart(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let set = proptest::collection::btree_map("[a-d]", "[12]", 0..4);
    let event = prop_oneof![
        set.prop_map(Event::Desire),
        (0usize..6).prop_map(Event::Talk),
        (0usize..6).prop_map(Event::Lose),
        any::<bool>().prop_map(Event::Server),
        (0u64..5_000).prop_map(Event::Restart),
    ];
    proptest::collection::vec(event, 0..24)
}

proptest! {
    /// Whatever was lost, once the line is quiet the federation has what is desired and nothing else.
    #[test]
    fn the_federation_ends_with_the_desired_set(events in events()) {
        let mut federation = Federation::default();
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        let as_desired = |wanted: &BTreeMap<String, String>| {
            let pairs: Vec<_> = wanted.iter().map(|(n, l)| (n.as_str(), l.as_str())).collect();
            desired(&pairs)
        };
        let mut bench = Bench::new(&[]);
        for event in events {
            match event {
                Event::Desire(set) => {
                    wanted = set;
                    bench.ledger.desire(as_desired(&wanted));
                }
                Event::Talk(messages) => {
                    for _ in 0..messages {
                        let Some(say) = bench.say() else { break };
                        bench.ledger.answer(federation.hear(&say)).unwrap();
                    }
                }
                Event::Lose(messages) => {
                    for _ in 0..messages {
                        let Some(say) = bench.say() else { break };
                        federation.hear(&say);
                    }
                    bench.ledger.begin();
                }
                Event::Server(compares) => {
                    federation.compares = compares;
                    bench.ledger.begin();
                }
                Event::Restart(clock) => {
                    let (sender, status) = watch::channel(PublishStatus::default());
                    let mut ledger = Ledger::new(as_desired(&wanted), "test".to_owned(), sender);
                    ledger.begin();
                    bench = Bench { ledger, status, now: clock };
                }
            }
        }
        for _ in 0..4 {
            loop {
                let present: BTreeMap<_, _> =
                    federation.exports.iter().map(|(n, (g, _))| (service(n), Generation(*g))).collect();
                bench.now += 1;
                let now = UnixMillis(bench.now);
                let Some(request) = bench.ledger.next(now, |id| present.get(id).copied()) else { break };
                bench.ledger.answer(federation.hear(&request.message.unwrap())).unwrap();
            }
            bench.ledger.retry_refused();
        }
        let has: BTreeMap<_, _> = federation.exports.into_iter().map(|(n, (_, label))| (n, label)).collect();
        prop_assert_eq!(has, wanted);
        let committed = |state: &ItemState| matches!(state, ItemState::Committed { .. });
        prop_assert!(bench.status.borrow().exports.values().all(committed));
        prop_assert_eq!(bench.ledger.unanswered(), 0);
    }
}
