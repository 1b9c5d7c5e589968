//! A small model of a federation: whatever it does, its history has no violation; and where it is broken, it has.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failed helper is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};

use federation_model::export::ExportScope;
use federation_model::{ClusterId, Revision, ServiceId, Vip};
use multi_cluster_e2e_history::{
    Event, History, Piece, PieceName, Slot, Viewer, WatcherName, Wish, WriteId, check,
};
use proptest::prelude::*;

const SERVICES: [&str; 2] = ["echo", "shop"];
const OWNERS: [&str; 2] = ["west", "south"];
const VIEWERS: [&str; 3] = ["east", "west", "operator"];

#[derive(Debug, Clone)]
enum Step {
    /// A cluster proposes; 0 removes, 1 puts for all, 2 for the exporter and `east` alone.
    Propose { slot: usize, wish: u8 },
    /// The oldest write that waits happens.
    Apply { slot: usize },
    /// It happens, and its writer hears of it.
    Commit { slot: usize, revision_known: bool },
    /// The last write that happened happens again, as after a retry, if none came after it.
    Again { slot: usize },
    /// The oldest write that waits never happens, and nobody hears of it.
    Drop { slot: usize },
    /// It never happens, and its writer hears of it.
    Refuse { slot: usize },
    /// Entries pass that change nothing.
    Pass { entries: u64 },
    /// A watcher goes on, at most by so many revisions.
    Watch { watcher: usize, by: u64 },
    /// A watcher goes to another server, which may send it a snapshot.
    Reconnect { watcher: usize, snapshot: bool },
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..SERVICES.len() * OWNERS.len();
    let watcher = || 0..VIEWERS.len();
    prop_oneof![
        4 => (slot(), 0u8..3).prop_map(|(slot, wish)| Step::Propose { slot, wish }),
        1 => slot().prop_map(|slot| Step::Apply { slot }),
        4 => (slot(), any::<bool>()).prop_map(|(slot, revision_known)| Step::Commit { slot, revision_known }),
        1 => slot().prop_map(|slot| Step::Again { slot }),
        1 => slot().prop_map(|slot| Step::Drop { slot }),
        1 => slot().prop_map(|slot| Step::Refuse { slot }),
        1 => (1u64..4).prop_map(|entries| Step::Pass { entries }),
        6 => (watcher(), 1u64..5).prop_map(|(watcher, by)| Step::Watch { watcher, by }),
        1 => (watcher(), any::<bool>()).prop_map(|(watcher, snapshot)| Step::Reconnect { watcher, snapshot }),
    ]
}

type Contents = BTreeMap<Slot, (WriteId, Wish)>;

#[derive(Default)]
struct Model {
    events: Vec<Event>,
    /// What each slot holds, at each revision.
    log: Vec<Contents>,
    waiting: BTreeMap<usize, Vec<(WriteId, Wish)>>,
    /// Who was told that its write is committed, and holds what since.
    committed: BTreeMap<usize, (WriteId, Wish)>,
    last: BTreeMap<usize, (WriteId, Wish)>,
    cursors: BTreeMap<usize, u64>,
    proposed: u64,
}

fn slot(number: usize) -> Slot {
    let service = ServiceId {
        namespace: "demo".parse().unwrap(),
        name: SERVICES[number % SERVICES.len()].parse().unwrap(),
    };
    Slot { service, cluster: OWNERS[number / SERVICES.len()].parse().unwrap() }
}

fn watcher(number: usize) -> (WatcherName, Viewer) {
    let viewer = match VIEWERS[number] {
        "operator" => Viewer::Operator,
        name => Viewer::Cluster(name.parse().unwrap()),
    };
    (WatcherName(VIEWERS[number].to_owned()), viewer)
}

fn vip(service: &ServiceId) -> Vip {
    let last = if service.name.as_str() == "echo" { 1 } else { 2 };
    Vip { v4: [240, 240, 0, last].into(), v6: u128::from(last).into() }
}

impl Model {
    fn run(steps: &[Step]) -> Self {
        let mut model = Self { log: vec![Contents::new()], ..Self::default() };
        for number in 0..VIEWERS.len() {
            model.connect(number, true);
        }
        for step in steps {
            model.step(step);
        }
        model
    }

    fn settled(mut self) -> History {
        for number in 0..VIEWERS.len() {
            self.watch(number, u64::MAX);
        }
        let watchers = (0..VIEWERS.len()).map(|number| watcher(number).0).collect();
        self.events.push(Event::Settled { watchers });
        History { events: self.events }
    }

    fn now(&self) -> u64 {
        self.log.len() as u64 - 1
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Propose { slot: number, wish } => {
                self.proposed += 1;
                let write = WriteId(self.proposed);
                let east: ClusterId = "east".parse().unwrap();
                let wish = match wish {
                    0 => Wish::Remove,
                    1 => Wish::Put { scope: ExportScope::All },
                    _ => Wish::Put { scope: ExportScope::Clusters([east].into()) },
                };
                self.events.push(Event::Proposed { write, slot: slot(number), wish: wish.clone() });
                self.waiting.entry(number).or_default().push((write, wish));
            }
            Step::Apply { slot } => {
                self.apply(slot);
            }
            Step::Commit { slot, revision_known } => {
                if let Some((write, wish)) = self.apply(slot) {
                    let revision = revision_known.then_some(Revision(self.now()));
                    self.events.push(Event::Acknowledged { write, revision });
                    self.committed.insert(slot, (write, wish));
                }
            }
            Step::Again { slot } => {
                if let Some((write, wish)) = self.last.get(&slot).cloned() {
                    self.enter(slot, write, wish);
                    let revision = Some(Revision(self.now()));
                    self.events.push(Event::Acknowledged { write, revision });
                }
            }
            Step::Drop { slot } => {
                self.take(slot);
            }
            Step::Refuse { slot } => {
                if let Some((write, _)) = self.take(slot) {
                    let reason = "held_by_another".to_owned();
                    self.events.push(Event::Refused { write, reason });
                }
            }
            Step::Pass { entries } => {
                for _ in 0..entries {
                    let same = self.log[self.log.len() - 1].clone();
                    self.log.push(same);
                }
            }
            Step::Watch { watcher, by } => self.watch(watcher, by),
            Step::Reconnect { watcher, snapshot } => self.connect(watcher, snapshot),
        }
    }

    /// A new value for everybody, and nothing of the slot that waits.
    fn commit_alone(&mut self, slot: usize) {
        self.waiting.remove(&slot);
        self.step(&Step::Propose { slot, wish: 1 });
        self.step(&Step::Commit { slot, revision_known: true });
    }

    fn take(&mut self, slot: usize) -> Option<(WriteId, Wish)> {
        let waiting = self.waiting.get_mut(&slot)?;
        (!waiting.is_empty()).then(|| waiting.remove(0))
    }

    fn apply(&mut self, slot: usize) -> Option<(WriteId, Wish)> {
        let (write, wish) = self.take(slot)?;
        self.enter(slot, write, wish.clone());
        Some((write, wish))
    }

    fn enter(&mut self, number: usize, write: WriteId, wish: Wish) {
        let mut next = self.log[self.log.len() - 1].clone();
        match &wish {
            Wish::Remove => next.remove(&slot(number)),
            Wish::Put { .. } => next.insert(slot(number), (write, wish.clone())),
        };
        self.log.push(next);
        self.last.insert(number, (write, wish));
    }

    fn view(&self, number: usize, revision: u64) -> BTreeMap<Slot, WriteId> {
        let viewer = watcher(number).1;
        let visible = |(slot, (write, wish)): (&Slot, &(WriteId, Wish))| {
            wish.shows(&slot.cluster, &viewer).then(|| (slot.clone(), *write))
        };
        self.log[revision as usize].iter().filter_map(visible).collect()
    }

    fn connect(&mut self, number: usize, snapshot: bool) {
        let (name, viewer) = watcher(number);
        let server = format!("server {}", self.events.len() % 3 + 1);
        self.events.push(Event::Connected { watcher: name.clone(), viewer, server });
        if !snapshot {
            return;
        }
        let now = self.now();
        self.cursors.insert(number, now);
        self.events.push(Event::SnapshotBegan { watcher: name.clone() });
        self.say(number, &BTreeMap::new(), &self.view(number, now));
        self.events.push(Event::SnapshotEnded { watcher: name, revision: Revision(now) });
    }

    fn watch(&mut self, number: usize, by: u64) {
        let from = self.cursors[&number];
        let to = from.saturating_add(by).min(self.now());
        self.cursors.insert(number, to);
        self.say(number, &self.view(number, from), &self.view(number, to));
        let (watcher, _) = watcher(number);
        self.events.push(Event::Progressed { watcher, revision: Revision(to) });
    }

    fn say(&mut self, number: usize, from: &BTreeMap<Slot, WriteId>, to: &BTreeMap<Slot, WriteId>) {
        let (name, _) = watcher(number);
        let services = |view: &BTreeMap<Slot, WriteId>| -> BTreeSet<ServiceId> {
            view.keys().map(|slot| slot.service.clone()).collect()
        };
        let exports = to.iter().filter(|(slot, write)| from.get(slot) != Some(write));
        let exports = exports.map(|(slot, write)| Piece::Export { slot: slot.clone(), write: Some(*write) });
        let new_services = services(to).difference(&services(from)).cloned().collect::<Vec<_>>();
        let vips_come = new_services.into_iter().map(|service| Piece::Vip { vip: vip(&service), service });
        let pieces = vips_come.chain(exports);
        let upserts: Vec<_> = pieces.map(|piece| Event::Upserted { watcher: name.clone(), piece }).collect();
        let gone = from.keys().filter(|slot| !to.contains_key(*slot)).cloned().map(PieceName::Export);
        let vips = services(from).difference(&services(to)).cloned().map(PieceName::Vip).collect::<Vec<_>>();
        let removals: Vec<_> =
            gone.chain(vips).map(|piece| Event::Removed { watcher: name.clone(), name: piece }).collect();
        self.events.extend(upserts);
        self.events.extend(removals);
    }
}

/// The model loses the last acknowledged write of a slot that everybody sees, and goes on as if nothing were.
fn lose_one(model: &mut Model) -> bool {
    let Some((number, (write, _))) =
        model.committed.clone().into_iter().find(|(number, (write, wish))| {
            matches!(wish, Wish::Put { .. }) && model.last[number].0 == *write
        })
    else {
        return false;
    };
    let mut without = model.log[model.log.len() - 1].clone();
    without.remove(&slot(number));
    model.log.push(without);
    // By this one's revision it had happened, also where its writer was not told at which.
    model.commit_alone((number + 1) % (SERVICES.len() * OWNERS.len()));
    // A later write of the slot could have replaced it, whatever became of it.
    let excused = model.events.iter().any(|event| {
        matches!(event, Event::Proposed { write: other, slot: of, .. } if *of == slot(number) && *other > write)
    });
    !excused
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_history_of_a_correct_federation_has_no_violation(steps in prop::collection::vec(step(), 0..80)) {
        let report = check(&Model::run(&steps).settled());
        prop_assert_eq!(report.violations, []);
    }

    #[test]
    fn an_acknowledged_write_that_disappears_is_always_found(steps in prop::collection::vec(step(), 20..80)) {
        let mut model = Model::run(&steps);
        if lose_one(&mut model) {
            let report = check(&model.settled());
            prop_assert!(!report.violations.is_empty());
        }
    }

    #[test]
    fn a_watcher_that_goes_back_is_always_found(steps in prop::collection::vec(step(), 20..80), back in 1u64..4) {
        let mut model = Model::run(&steps);
        let at = model.cursors[&0];
        if at > 0 {
            let to = at.saturating_sub(back);
            model.events.push(Event::Progressed { watcher: watcher(0).0, revision: Revision(to) });
            model.cursors.insert(0, at);
            let report = check(&model.settled());
            prop_assert!(!report.violations.is_empty());
        }
    }

    #[test]
    fn a_change_that_a_watch_skips_is_found_in_the_end(steps in prop::collection::vec(step(), 20..80)) {
        let mut model = Model::run(&steps);
        // An acknowledged value that no watcher is told of.
        model.commit_alone(0);
        for number in 0..VIEWERS.len() {
            model.cursors.insert(number, model.now());
        }
        let report = check(&model.settled());
        prop_assert!(!report.violations.is_empty());
    }
}
