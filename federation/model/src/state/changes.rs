//! The recent past: which pieces changed at which revision, and who may have lost sight of them. Kept beside the
//! state, not in it; its end goes with every snapshot, so that a server which starts from one still knows it.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::export::{Export, ExportScope, MAX_NAMES};
use crate::ids::{ClusterId, Revision, UnixMillis};
use crate::item::ItemKey;
use crate::shared_map::SharedMap;

/// A bounded list of the last change of each piece, in the order of change. It holds keys, not values: a reader looks
/// up the present value, so that many changes of one key cost a slow watcher one message.
///
/// Clones share, as those of a [`SharedMap`] do.
#[derive(Debug, Clone)]
pub struct Changes {
    capacity: usize,
    /// Of every change after this revision, the last one of its key is in the list.
    complete_after: Revision,
    list: SharedMap<Position, Change>,
    /// Where each key is in the list.
    places: SharedMap<ItemKey, Position>,
}

/// A place in the order of changes: everything up to and including it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    revision: Revision,
    /// Which change of its revision.
    number: u32,
}

impl Position {
    /// Everything that changed up to `revision` is known.
    pub fn end_of(revision: Revision) -> Self {
        Self { revision, number: u32::MAX }
    }

    /// The revision that it is in.
    pub fn revision(self) -> Revision {
        self.revision
    }
}

/// That a piece changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    key: ItemKey,
    /// The leader's clock at that time.
    at: UnixMillis,
    lost: Lost,
}

impl Change {
    /// Which piece.
    pub fn key(&self) -> &ItemKey {
        &self.key
    }

    /// When, by the leader's clock.
    pub fn at(&self) -> UnixMillis {
        self.at
    }

    /// Whether `cluster`, if it cannot see the piece now, may have seen it before: it must be told that it is gone.
    /// To nobody else is it named.
    pub fn may_be_lost_to(&self, cluster: &ClusterId) -> bool {
        match &self.lost {
            Lost::Nobody => false,
            Lost::Everybody => true,
            Lost::Clusters(named) => named.contains(cluster),
        }
    }
}

/// Who may have seen a piece at some time in the list, and need not see it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Lost {
    Nobody,
    /// At most [`MAX_NAMES`].
    Clusters(BTreeSet<ClusterId>),
    Everybody,
}

impl Lost {
    fn by(export: &Export) -> Self {
        match &export.scope {
            ExportScope::All => Self::Everybody,
            ExportScope::Clusters(named) => {
                let mut named = named.clone();
                named.insert(export.cluster.clone());
                Self::Clusters(named).bounded()
            }
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Everybody, _) | (_, Self::Everybody) => Self::Everybody,
            (Self::Nobody, lost) | (lost, Self::Nobody) => lost,
            (Self::Clusters(mut one), Self::Clusters(other)) => {
                one.extend(other);
                Self::Clusters(one).bounded()
            }
        }
    }

    /// A removal that means nothing to its receiver does no harm; a set without a bound would.
    fn bounded(self) -> Self {
        match self {
            Self::Clusters(named) if named.len() > MAX_NAMES => Self::Everybody,
            lost => lost,
        }
    }
}

/// The end of a list, to be kept with a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    complete_after: Revision,
    changes: Vec<(Position, Change)>,
}

impl Changes {
    /// An empty list of at most `capacity` changes that knows nothing of what was before `now`.
    pub fn new(capacity: usize, now: Revision) -> Self {
        Self { capacity, complete_after: now, list: SharedMap::new(), places: SharedMap::new() }
    }

    /// A list that goes on from the end of another. `tail` was taken at `now`; without one, nothing before is known.
    pub fn resume(capacity: usize, now: Revision, tail: Option<Tail>) -> Self {
        let Some(tail) = tail else { return Self::new(capacity, now) };
        let mut this = Self::new(capacity, tail.complete_after);
        for (position, change) in tail.changes {
            this.put(position, change);
        }
        this
    }

    /// The revision after which it knows what changed.
    pub fn complete_after(&self) -> Revision {
        self.complete_after
    }

    /// The last `most` changes.
    pub fn tail(&self, most: usize) -> Tail {
        let left_out = self.list.len().saturating_sub(most);
        let last_left_out = left_out.checked_sub(1).and_then(|last| self.list.iter().nth(last));
        let complete_after = last_left_out.map_or(self.complete_after, |(position, _)| position.revision);
        let kept = self.list.iter().skip(left_out);
        Tail { complete_after, changes: kept.map(|(position, change)| (*position, change.clone())).collect() }
    }

    /// Records what one entry changed at `at`. `before` are the exports that it took away or hid from somebody, as
    /// they were.
    pub fn record(
        &mut self,
        revision: Revision,
        at: UnixMillis,
        keys: impl IntoIterator<Item = ItemKey>,
        before: &[Arc<Export>],
    ) {
        for (number, key) in (0u32..).zip(keys) {
            let lost = match &key {
                // Everybody sees them while they are there.
                ItemKey::Cluster(_) | ItemKey::Bundle(_) => Lost::Everybody,
                ItemKey::Vip(service) => lost(before.iter().filter(|export| &export.service == service)),
                ItemKey::Export(service, cluster) => lost(
                    before.iter().filter(|export| &export.service == service && &export.cluster == cluster),
                ),
            };
            self.put(Position { revision, number }, Change { key, at, lost });
        }
    }

    fn put(&mut self, position: Position, mut change: Change) {
        if let Some(earlier) = self.places.insert(change.key.clone(), position)
            && let Some(earlier) = self.list.remove(&earlier)
        {
            change.lost = change.lost.and(earlier.lost);
        }
        self.list.insert(position, change);
        while self.list.len() > self.capacity {
            let Some((first, key)) = self.list.iter().next().map(|(at, change)| (*at, change.key.clone()))
            else {
                return;
            };
            self.list.remove(&first);
            self.places.remove(&key);
            self.complete_after = first.revision;
        }
    }

    /// What changed after `position`, in order, each key once; `None` if the list no longer reaches back so far.
    pub fn after(&self, position: Position) -> Option<impl Iterator<Item = (Position, &Change)>> {
        if position < Position::end_of(self.complete_after) {
            return None;
        }
        Some(self.list.after(Bound::Excluded(&position)).map(|(position, change)| (*position, change)))
    }

    /// The keys changed after `cursor`; `None` if the list no longer reaches back so far.
    pub fn since(&self, cursor: Revision) -> Option<BTreeSet<&ItemKey>> {
        Some(self.after(Position::end_of(cursor))?.map(|(_, change)| change.key()).collect())
    }
}

fn lost<'a>(before: impl Iterator<Item = &'a Arc<Export>>) -> Lost {
    before.map(|export| Lost::by(export)).fold(Lost::Nobody, Lost::and)
}

#[cfg(test)]
mod tests;
