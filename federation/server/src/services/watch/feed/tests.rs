use std::collections::BTreeSet;

use federation_model::command::Registration;
use federation_model::{
    Batch, Command, Export, ExportScope, FederationView, Generation, InstanceId, ServiceId, SessionNumber,
    UnixMillis,
};
use proptest::prelude::*;

use super::*;

const CAPACITY: usize = 600;

fn cluster(number: usize) -> ClusterId {
    format!("c{number}").parse().unwrap()
}

fn instance() -> InstanceId {
    "0".repeat(32).parse().unwrap()
}

fn service(number: usize) -> ServiceId {
    format!("demo/s{number:04}").parse().unwrap()
}

/// A catalogue with its changes, as a server has it.
struct Catalogue {
    state: State,
    changes: Changes,
    bases: Bases,
    generation: u64,
}

impl Catalogue {
    fn new(clusters: usize) -> Self {
        let (state, changes) = (State::default(), Changes::new(CAPACITY, Revision(0)));
        let mut this = Self { state, changes, bases: Bases::default(), generation: 0 };
        for number in 0..clusters {
            let id = cluster(number);
            this.apply(Command::RegisterCluster(Registration {
                cluster: id.clone(),
                instance: instance(),
                network: "n".parse().unwrap(),
                region: None,
                zone: None,
                trust_domain: format!("{id}.lab").parse().unwrap(),
                gateways: Vec::new(),
            }));
        }
        this
    }

    fn apply(&mut self, command: Command) {
        let revision = Revision(self.state.revision().0 + 1);
        let batch = Batch { at: UnixMillis(1), commands: vec![command] };
        let applied = self.state.apply(revision, &batch);
        assert_eq!(applied.outcomes, [Ok(())]);
        self.changes.record(revision, batch.at, applied.changed, &applied.before);
    }

    fn put(&mut self, exporter: usize, number: usize, scope: ExportScope) {
        self.generation += 1;
        let export = Export {
            cluster: cluster(exporter),
            service: service(number),
            first_seen: UnixMillis(0),
            generation: Generation(self.generation),
            kind: federation_model::ExportKind::ClusterSetIp,
            ports: Vec::new(),
            session_affinity: federation_model::export::SessionAffinity::None,
            internal_traffic_policy: Default::default(),
            traffic_distribution: Some(self.generation.to_string()),
            ip_families: Default::default(),
            labels: Default::default(),
            annotations: Default::default(),
            scope,
            mtls: federation_model::MtlsMode::Gateway,
            localities: Vec::new(),
            endpoints: Vec::new(),
        };
        self.apply(Command::PutExport {
            instance: instance(),
            session: SessionNumber(0),
            export: Box::new(export),
        });
    }

    fn remove(&mut self, exporter: usize, number: usize) {
        let (cluster, service) = (cluster(exporter), service(number));
        let generation = Generation(self.generation);
        self.apply(Command::RemoveExport {
            cluster,
            instance: instance(),
            session: SessionNumber(0),
            service,
            generation,
        });
    }

    /// What `who` must see.
    fn seen_by(&self, who: usize) -> FederationView {
        let mut view = FederationView { revision: self.state.revision(), ..FederationView::default() };
        view.incarnation = self.state.incarnation();
        self.state.snapshot_for(&cluster(who)).into_iter().for_each(|item| view.upsert(item));
        view
    }
}

/// A watcher with the view that it builds.
struct Watcher {
    number: usize,
    feed: Feed,
    pending: VecDeque<Piece>,
    view: FederationView,
    snapshots: usize,
    /// Everything that was ever named to it.
    named: BTreeSet<ItemKey>,
}

impl Watcher {
    fn new(number: usize) -> Self {
        Self {
            number,
            feed: Feed::new(cluster(number), None),
            pending: VecDeque::new(),
            view: FederationView::default(),
            snapshots: 0,
            named: BTreeSet::new(),
        }
    }

    /// One look, whose outcome waits to be taken. Whether everything is said.
    fn look(&mut self, catalogue: &Catalogue) -> bool {
        let Catalogue { state, changes, bases, .. } = catalogue;
        if self.feed.go_on(bases, &mut self.pending) {
            return false;
        }
        self.feed.pull(state, changes, bases, &mut self.pending) == Next::Wait(state.revision())
    }

    /// Takes what waits. A piece out of place panics.
    fn take(&mut self) {
        for piece in self.pending.drain(..) {
            match piece {
                Piece::Begin => {
                    self.snapshots += 1;
                    self.view = FederationView::default();
                }
                Piece::Upsert(item) => {
                    self.named.insert(item.key());
                    self.view.upsert(item);
                }
                Piece::Remove(key) => {
                    self.view.remove(&key);
                    self.named.insert(key);
                }
                Piece::End(revision, incarnation) => {
                    (self.view.revision, self.view.incarnation) = (revision, incarnation);
                }
                Piece::Complete(revision) => self.view.revision = revision,
            }
        }
    }

    fn catch_up(&mut self, catalogue: &Catalogue) {
        while !self.look(catalogue) {
            assert!(self.pending.len() <= PAGE + 2);
            self.take();
        }
        self.take();
        self.view.revision = catalogue.state.revision();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize, usize, ExportScope),
    Remove(usize, usize),
    Look(usize),
    CatchUp(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let scope = prop_oneof![
        Just(ExportScope::All),
        proptest::collection::btree_set((0..3usize).prop_map(cluster), 0..3).prop_map(ExportScope::Clusters),
    ];
    let step = prop_oneof![
        6 => (0..3usize, 0..5usize, scope).prop_map(|(exporter, service, scope)| Step::Put(exporter, service, scope)),
        2 => (0..3usize, 0..5usize).prop_map(|(exporter, service)| Step::Remove(exporter, service)),
        3 => (0..3usize).prop_map(Step::Look),
        1 => (0..3usize).prop_map(Step::CatchUp),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    /// However often and however far each of them looks, whoever has caught up sees exactly what it may see, and was never
    /// told of what it never could.
    #[test]
    fn watchers_see_what_they_may_and_hear_of_nothing_else(steps in steps()) {
        let mut catalogue = Catalogue::new(3);
        let mut watchers: Vec<Watcher> = (0..3).map(Watcher::new).collect();
        let mut visible: Vec<BTreeSet<ItemKey>> = vec![BTreeSet::new(); 3];
        for step in steps.into_iter().chain((0..3).map(Step::CatchUp)) {
            match step {
                Step::Put(exporter, service, scope) => catalogue.put(exporter, service, scope),
                Step::Remove(exporter, service) => catalogue.remove(exporter, service),
                Step::Look(number) => {
                    watchers[number].look(&catalogue);
                    watchers[number].take();
                }
                Step::CatchUp(number) => {
                    watchers[number].catch_up(&catalogue);
                    prop_assert_eq!(&watchers[number].view, &catalogue.seen_by(number));
                }
            }
            for (number, visible) in visible.iter_mut().enumerate() {
                visible.extend(catalogue.state.snapshot_for(&cluster(number)).iter().map(Item::key));
            }
        }
        for watcher in &watchers {
            prop_assert!(watcher.named.is_subset(&visible[watcher.number]));
            prop_assert_eq!(watcher.snapshots, 1);
        }
    }
}

#[test]
fn a_change_that_is_not_seen_says_nothing_at_all() {
    let mut catalogue = Catalogue::new(3);
    let mut watcher = Watcher::new(2);
    watcher.catch_up(&catalogue);
    let hidden = ExportScope::Clusters([cluster(1)].into());
    catalogue.put(0, 1, hidden.clone());
    catalogue.put(0, 1, hidden);
    catalogue.put(0, 1, ExportScope::Clusters(BTreeSet::new()));
    catalogue.remove(0, 1);
    assert!(watcher.look(&catalogue));
    assert!(watcher.pending.is_empty());
}

#[test]
fn many_changes_of_one_piece_are_one_message_to_whoever_is_slow() {
    let mut catalogue = Catalogue::new(2);
    catalogue.put(0, 1, ExportScope::All);
    let mut watcher = Watcher::new(1);
    watcher.catch_up(&catalogue);
    for _ in 0..CAPACITY * 2 {
        catalogue.put(0, 1, ExportScope::All);
    }
    assert!(watcher.look(&catalogue));
    assert_eq!(watcher.pending.len(), 2, "{:?}", watcher.pending);
    watcher.catch_up(&catalogue);
    assert_eq!((watcher.snapshots, watcher.view), (1, catalogue.seen_by(1)));
}

#[test]
fn whoever_was_left_behind_by_the_list_begins_again() {
    let mut catalogue = Catalogue::new(2);
    let mut watcher = Watcher::new(1);
    watcher.catch_up(&catalogue);
    for number in 0..CAPACITY {
        catalogue.put(0, number, ExportScope::All);
    }
    watcher.catch_up(&catalogue);
    assert_eq!((watcher.snapshots, watcher.view), (2, catalogue.seen_by(1)));
}

/// All of 250 watchers are in the middle of a snapshot and take nothing, while the whole catalogue changes again and again.
#[test]
fn many_slow_watchers_hold_two_versions_and_a_page_each() {
    const SERVICES: usize = 280;
    let mut catalogue = Catalogue::new(2);
    for number in 0..SERVICES {
        catalogue.put(0, number, ExportScope::All);
    }
    let mut watchers: Vec<Watcher> = Vec::new();
    for round in 0..250 {
        let mut watcher = Watcher::new(1);
        watcher.look(&catalogue);
        watcher.look(&catalogue);
        watchers.push(watcher);
        if round % 10 == 0 {
            for number in 0..SERVICES {
                catalogue.put(0, number, ExportScope::All);
            }
        }
    }
    assert!(catalogue.bases.count() <= Bases::MOST);
    assert!(watchers.iter().all(|watcher| watcher.pending.len() <= PAGE + 2));
    for watcher in &mut watchers {
        watcher.take();
        watcher.catch_up(&catalogue);
        assert_eq!(watcher.view, catalogue.seen_by(1));
    }
    assert_eq!(catalogue.bases.count(), 0);
}
