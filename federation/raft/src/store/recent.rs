//! The end of the log in memory, as it was written. An entry is read once for each follower and once to be applied, and nearly
//! always just after it was written; from the disk's form it would be decoded each time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::Entry;

/// Most that is kept, in encoded bytes. A follower that lags further reads from the disk.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The last entries of one log, without a hole, up to its end. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent(Arc<Mutex<Ring>>);

#[derive(Debug, Default)]
struct Ring {
    /// Each with its encoded size.
    entries: VecDeque<(Entry, usize)>,
    bytes: usize,
}

impl Recent {
    /// An entry was written at the end of the log.
    pub(super) fn push(&self, entry: Entry, bytes: usize) {
        let mut ring = self.ring();
        let next = ring.last().is_none_or(|last| last.checked_add(1) == Some(entry.log_id.index));
        if !next {
            ring.clear();
        }
        ring.entries.push_back((entry, bytes));
        ring.bytes = ring.bytes.saturating_add(bytes);
        while ring.bytes > KEPT_BYTES
            && let Some((_, bytes)) = ring.entries.pop_front()
        {
            ring.bytes = ring.bytes.saturating_sub(bytes);
        }
    }

    /// The entries from `from` on were taken away, or are about to be.
    pub(super) fn truncate(&self, from: u64) {
        let mut ring = self.ring();
        while ring.last().is_some_and(|last| last >= from)
            && let Some((_, bytes)) = ring.entries.pop_back()
        {
            ring.bytes = ring.bytes.saturating_sub(bytes);
        }
    }

    /// The entries up to `upto` were taken away, or are about to be.
    pub(super) fn purge(&self, upto: u64) {
        let mut ring = self.ring();
        while ring.first().is_some_and(|first| first <= upto)
            && let Some((_, bytes)) = ring.entries.pop_front()
        {
            ring.bytes = ring.bytes.saturating_sub(bytes);
        }
    }

    /// The entries in `[start, end)`, as many as have together at most `budget` encoded bytes, and at least one; none, if
    /// `start` is not kept here.
    pub(super) fn get(&self, start: u64, end: Option<u64>, budget: usize) -> Option<Vec<Entry>> {
        let ring = self.ring();
        let skip = usize::try_from(start.checked_sub(ring.first()?)?).ok()?;
        let mut size = 0usize;
        let some = ring.entries.iter().skip(skip).take_while(|(entry, bytes)| {
            let first = size == 0;
            size = size.saturating_add(*bytes);
            end.is_none_or(|end| entry.log_id.index < end) && (first || size <= budget)
        });
        let found: Vec<Entry> = some.map(|(entry, _)| entry.clone()).collect();
        (!found.is_empty()).then_some(found)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn first(&self) -> Option<u64> {
        self.entries.front().map(|(entry, _)| entry.log_id.index)
    }

    fn last(&self) -> Option<u64> {
        self.entries.back().map(|(entry, _)| entry.log_id.index)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use openraft::EntryPayload;
    use proptest::prelude::*;

    use super::*;
    use crate::types::LogId;

    fn entry(index: u64) -> Entry {
        Entry {
            log_id: LogId::new(openraft::CommittedLeaderId::new(1, 1), index),
            payload: EntryPayload::Blank,
        }
    }

    fn indices(found: Option<Vec<Entry>>) -> Option<Vec<u64>> {
        found.map(|entries| entries.iter().map(|entry| entry.log_id.index).collect())
    }

    #[test]
    fn it_answers_for_what_it_has_and_for_nothing_else() {
        let recent = Recent::default();
        assert_eq!(indices(recent.get(1, None, 100)), None);
        for index in 5..10 {
            recent.push(entry(index), 10);
        }
        assert_eq!(indices(recent.get(4, None, 100)), None);
        assert_eq!(indices(recent.get(5, Some(7), 100)), Some(vec![5, 6]));
        assert_eq!(indices(recent.get(6, None, 25)), Some(vec![6, 7]));
        assert_eq!(indices(recent.get(9, None, 1)), Some(vec![9]));
        assert_eq!(indices(recent.get(10, None, 100)), None);
        assert_eq!(indices(recent.get(7, Some(7), 100)), None);
        recent.purge(5);
        recent.truncate(9);
        assert_eq!(indices(recent.get(5, None, 100)), None);
        assert_eq!(indices(recent.get(6, None, 100)), Some(vec![6, 7, 8]));
        // Behind a hole, what came before is forgotten.
        recent.push(entry(20), 10);
        assert_eq!(indices(recent.get(8, None, 100)), None);
        assert_eq!(indices(recent.get(20, None, 100)), Some(vec![20]));
    }

    #[test]
    fn what_it_keeps_is_bounded() {
        let recent = Recent::default();
        for index in 1..=10 {
            recent.push(entry(index), KEPT_BYTES / 3);
        }
        assert_eq!(indices(recent.get(7, None, usize::MAX)), None);
        assert_eq!(indices(recent.get(8, None, usize::MAX)), Some(vec![8, 9, 10]));
    }

    proptest! {
        /// Whatever happens to a log, what is answered is what the log has.
        #[test]
        fn it_never_says_anything_else_than_the_log(
            steps in proptest::collection::vec((0..3_u8, 0..12_u64, 1..KEPT_BYTES), 1..60),
        ) {
            let (recent, mut log) = (Recent::default(), VecDeque::new());
            let mut next = 1;
            for (what, back, bytes) in steps {
                match what {
                    0 => {
                        recent.push(entry(next), bytes);
                        log.push_back(next);
                        next += 1;
                    }
                    1 => {
                        let from = next.saturating_sub(back).max(1);
                        recent.truncate(from);
                        log.retain(|index| *index < from);
                        next = next.min(from);
                    }
                    _ => {
                        let upto = next.saturating_sub(back + 1);
                        recent.purge(upto);
                        log.retain(|index| *index > upto);
                    }
                }
                for start in 0..next + 2 {
                    if let Some(found) = indices(recent.get(start, None, usize::MAX)) {
                        let has: Vec<u64> = log.iter().copied().filter(|index| *index >= start).collect();
                        prop_assert_eq!(found, has);
                    }
                }
            }
        }
    }
}
