//! What each watcher saw, put together from its stream: consistent points, and between them what changed.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::{Revision, ServiceId, Vip};

use crate::event::{Event, Piece, PieceName, Slot, Viewer, WatcherName, WriteId};
use crate::history::History;
use crate::violation::Violation;

/// A moment at which a watcher had the whole catalogue at one revision.
#[derive(Debug, Clone)]
pub struct Point {
    /// The event that said so.
    pub at: usize,
    /// Which.
    pub revision: Revision,
    /// By whom.
    pub server: String,
    /// Services of which it had an export and no VIP, or, as a cluster, a VIP and no export.
    pub unmatched_vips: BTreeSet<ServiceId>,
}

/// Everything that one watcher saw.
#[derive(Debug, Clone)]
pub struct Sight {
    /// Who it is.
    pub watcher: WatcherName,
    /// As whom it looks.
    pub viewer: Viewer,
    /// In the order of its stream.
    pub points: Vec<Point>,
    /// By slot: from which point on it saw what. Before the first it saw nothing.
    pub runs: BTreeMap<Slot, Vec<(usize, WriteId)>>,
    /// By slot: from which point on it saw that it is empty, after having seen something.
    pub ends: BTreeMap<Slot, Vec<usize>>,
}

impl Sight {
    /// What it saw of `slot` at each of its points.
    pub fn of<'a>(&'a self, slot: &Slot) -> impl Iterator<Item = (&'a Point, Option<WriteId>)> + 'a {
        let runs = self.runs.get(slot).map(Vec::as_slice).unwrap_or_default();
        let ends = self.ends.get(slot).map(Vec::as_slice).unwrap_or_default();
        let (mut runs, mut ends) = (runs.iter().peekable(), ends.iter().peekable());
        let mut present = None;
        self.points.iter().enumerate().map(move |(number, point)| {
            if ends.next_if(|from| **from == number).is_some() {
                present = None;
            }
            if let Some((_, write)) = runs.next_if(|(from, _)| *from == number) {
                present = Some(*write);
            }
            (point, present)
        })
    }
}

/// An upsert as it came, consistent or not: nobody may be shown it even for a moment.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The event.
    pub at: usize,
    /// To whom.
    pub watcher: WatcherName,
    /// As whom it looks.
    pub viewer: Viewer,
    /// What.
    pub piece: Piece,
}

/// What all watchers saw.
#[derive(Debug, Clone, Default)]
pub struct Sights {
    /// By watcher.
    pub watchers: Vec<Sight>,
    /// Every piece that anybody was shown.
    pub shown: Vec<Shown>,
    /// Snapshots that were begun.
    pub snapshots: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct View {
    exports: BTreeMap<Slot, Option<WriteId>>,
    vips: BTreeMap<ServiceId, Vip>,
}

struct Stream {
    sight: Sight,
    server: String,
    published: View,
    next: View,
    in_snapshot: bool,
}

impl Sights {
    /// Puts all streams together. A message out of place is a violation.
    pub fn of(history: &History) -> (Self, Vec<Violation>) {
        let mut sights = Self::default();
        let mut violations = Vec::new();
        let mut streams: BTreeMap<WatcherName, Stream> = BTreeMap::new();
        for (at, event) in history.events.iter().enumerate() {
            if let Event::Connected { watcher, viewer, server } = event {
                let stream = streams.entry(watcher.clone()).or_insert_with(|| Stream::new(watcher, viewer));
                stream.connect(server);
                continue;
            }
            let Some(watcher) = watcher_of(event) else { continue };
            let Some(stream) = streams.get_mut(watcher) else {
                violations.push(Violation::OutOfPlace {
                    watcher: watcher.clone(),
                    problem: "an event before it connected",
                });
                continue;
            };
            if let Event::Upserted { piece, .. } = event {
                let viewer = stream.sight.viewer.clone();
                sights.shown.push(Shown { at, watcher: watcher.clone(), viewer, piece: piece.clone() });
            }
            sights.snapshots += usize::from(matches!(event, Event::SnapshotBegan { .. }));
            if let Err(problem) = stream.take(at, event) {
                violations.push(Violation::OutOfPlace { watcher: watcher.clone(), problem });
            }
        }
        sights.watchers = streams.into_values().map(|stream| stream.sight).collect();
        (sights, violations)
    }
}

fn watcher_of(event: &Event) -> Option<&WatcherName> {
    match event {
        Event::SnapshotBegan { watcher }
        | Event::Upserted { watcher, .. }
        | Event::Removed { watcher, .. }
        | Event::SnapshotEnded { watcher, .. }
        | Event::Progressed { watcher, .. } => Some(watcher),
        _ => None,
    }
}

impl Stream {
    fn new(watcher: &WatcherName, viewer: &Viewer) -> Self {
        let sight = Sight {
            watcher: watcher.clone(),
            viewer: viewer.clone(),
            points: Vec::new(),
            runs: BTreeMap::new(),
            ends: BTreeMap::new(),
        };
        let (published, next) = (View::default(), View::default());
        Self { sight, server: String::new(), published, next, in_snapshot: false }
    }

    fn connect(&mut self, server: &str) {
        server.clone_into(&mut self.server);
        self.next = self.published.clone();
        self.in_snapshot = false;
    }

    fn take(&mut self, at: usize, event: &Event) -> Result<(), &'static str> {
        match event {
            Event::SnapshotBegan { .. } => {
                self.next = View::default();
                self.in_snapshot = true;
            }
            Event::Upserted { piece: Piece::Export { slot, write }, .. } => {
                self.next.exports.insert(slot.clone(), *write);
            }
            Event::Upserted { piece: Piece::Vip { service, vip }, .. } => {
                self.next.vips.insert(service.clone(), *vip);
            }
            Event::Removed { .. } if self.in_snapshot => return Err("a removal inside a snapshot"),
            Event::Removed { name: PieceName::Export(slot), .. } => {
                self.next.exports.remove(slot);
            }
            Event::Removed { name: PieceName::Vip(service), .. } => {
                self.next.vips.remove(service);
            }
            Event::SnapshotEnded { revision, .. } => {
                if !std::mem::take(&mut self.in_snapshot) {
                    return Err("the end of a snapshot that did not begin");
                }
                self.point(at, *revision);
            }
            Event::Progressed { .. } if self.in_snapshot => return Err("progress inside a snapshot"),
            Event::Progressed { revision, .. } => self.point(at, *revision),
            _ => {}
        }
        Ok(())
    }

    fn point(&mut self, at: usize, revision: Revision) {
        let number = self.sight.points.len();
        for (slot, write) in &self.next.exports {
            // A value that carries no write is a violation of its own; here it counts as nothing.
            if let Some(write) = write
                && self.published.exports.get(slot) != Some(&Some(*write))
            {
                self.sight.runs.entry(slot.clone()).or_default().push((number, *write));
            }
        }
        for slot in self.published.exports.keys().filter(|slot| !self.next.exports.contains_key(*slot)) {
            self.sight.ends.entry(slot.clone()).or_default().push(number);
        }
        let exported: BTreeSet<&ServiceId> = self.next.exports.keys().map(|slot| &slot.service).collect();
        let without_vip = exported.iter().filter(|service| !self.next.vips.contains_key(**service)).copied();
        // Operators see every VIP that was ever given.
        let is_cluster = matches!(self.sight.viewer, Viewer::Cluster(_));
        let without_export =
            self.next.vips.keys().filter(|service| is_cluster && !exported.contains(service));
        let unmatched_vips = without_vip.chain(without_export).cloned().collect();
        self.sight.points.push(Point { at, revision, server: self.server.clone(), unmatched_vips });
        self.published = self.next.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{began, connect, ended, gone, progress, saw, slot};

    fn problems(events: Vec<Event>) -> Vec<String> {
        Sights::of(&History { events }).1.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_message_out_of_place_is_said() {
        let cases = [
            (vec![progress("east", 1)], "an event before it connected"),
            (vec![connect("east", 1), ended("east", 1)], "the end of a snapshot that did not begin"),
            (vec![connect("east", 1), began("east"), progress("east", 1)], "progress inside a snapshot"),
            (vec![connect("east", 1), began("east"), gone("east", "a")], "a removal inside a snapshot"),
        ];
        for (events, expected) in cases {
            assert_eq!(problems(events), [format!("watcher east was sent {expected}")]);
        }
    }

    #[test]
    fn what_a_broken_stream_left_unfinished_counts_for_nothing() {
        let events = vec![
            connect("east", 1),
            saw("east", 1, "a"),
            progress("east", 5),
            saw("east", 2, "a"),
            connect("east", 2),
            progress("east", 6),
            gone("east", "a"),
            progress("east", 7),
        ];
        let (sights, violations) = Sights::of(&History { events });
        assert!(violations.is_empty(), "{violations:?}");
        let seen: Vec<_> =
            sights.watchers[0].of(&slot("a")).map(|(point, write)| (point.revision.0, write)).collect();
        assert_eq!(seen, [(5, Some(WriteId(1))), (6, Some(WriteId(1))), (7, None)]);
    }
}
