//! The recent past: which pieces changed at which revision. Kept beside the state, not in it: a server that starts
//! from a snapshot has none, and tells its watchers to start from a snapshot too.

use std::collections::{BTreeSet, VecDeque};

use crate::ids::Revision;
use crate::item::ItemKey;

/// A bounded ring of (revision, key). It holds keys, not values: a reader looks up the present value, so that many
/// changes of one key cost a slow watcher one message.
#[derive(Debug, Clone)]
pub struct Changes {
    capacity: usize,
    /// Everything after this revision is in the ring.
    complete_after: Revision,
    ring: VecDeque<(Revision, ItemKey)>,
}

impl Changes {
    /// An empty ring of at most `capacity` changes that knows nothing of what was before `now`.
    pub fn new(capacity: usize, now: Revision) -> Self {
        Self { capacity, complete_after: now, ring: VecDeque::new() }
    }

    /// Records what one entry changed.
    pub fn record(&mut self, revision: Revision, keys: impl IntoIterator<Item = ItemKey>) {
        self.ring.extend(keys.into_iter().map(|key| (revision, key)));
        while self.ring.len() > self.capacity {
            if let Some((dropped, _)) = self.ring.pop_front() {
                self.complete_after = dropped;
            }
        }
    }

    /// The keys changed after `cursor`, each once; `None` if the ring no longer reaches back so far.
    pub fn since(&self, cursor: Revision) -> Option<BTreeSet<&ItemKey>> {
        if cursor < self.complete_after {
            return None;
        }
        let from = self.ring.partition_point(|(revision, _)| *revision <= cursor);
        Some(self.ring.range(from..).map(|(_, key)| key).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ItemKey {
        ItemKey::Cluster(name.parse().unwrap())
    }

    #[test]
    fn a_reader_gets_each_key_changed_after_its_cursor_once() {
        let mut changes = Changes::new(10, Revision(0));
        changes.record(Revision(1), [key("a")]);
        changes.record(Revision(2), [key("b"), key("c")]);
        changes.record(Revision(3), [key("b")]);
        assert_eq!(changes.since(Revision(1)), Some(BTreeSet::from([&key("b"), &key("c")])));
        assert_eq!(changes.since(Revision(3)), Some(BTreeSet::new()));
        assert_eq!(changes.since(Revision(9)), Some(BTreeSet::new()));
    }

    #[test]
    fn a_cursor_older_than_the_ring_needs_a_snapshot() {
        let mut changes = Changes::new(2, Revision(0));
        for revision in 1..=4 {
            changes.record(Revision(revision), [key("a")]);
        }
        assert_eq!(changes.since(Revision(1)), None);
        assert_eq!(changes.since(Revision(2)), Some(BTreeSet::from([&key("a")])));
    }

    #[test]
    fn an_entry_cut_in_half_by_the_bound_is_not_served_in_part() {
        let mut changes = Changes::new(1, Revision(0));
        changes.record(Revision(1), [key("a"), key("b")]);
        assert_eq!(changes.since(Revision(0)), None);
        assert_eq!(changes.since(Revision(1)), Some(BTreeSet::new()));
    }
}
