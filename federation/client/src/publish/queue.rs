//! What is still to be said, each thing once. Values are looked up when their turn comes, so a slow server hears of the
//! latest state of an item and of no state in between.

use std::collections::{BTreeSet, VecDeque};

use federation_model::ServiceId;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Hello,
    Bundle,
    /// The offer of that number.
    Offer(usize),
    Export(ServiceId),
    SyncPoint,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    order: VecDeque<Key>,
    waiting: BTreeSet<Key>,
}

impl Queue {
    /// Adds `key` at the end, unless it waits already.
    pub(super) fn push(&mut self, key: Key) {
        if self.waiting.insert(key.clone()) {
            self.order.push_back(key);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Key> {
        let key = self.order.pop_front()?;
        self.waiting.remove(&key);
        Some(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.waiting.clear();
    }
}
