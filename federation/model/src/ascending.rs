//! Looking up many keys in sorted order: one walk along the map instead of one down it for each key.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::iter::Peekable;

/// Pairs in ascending order of their keys, as sorted maps give them, to be asked for in that order.
pub struct Ascending<I: Iterator>(Peekable<I>);

impl<I: Iterator> fmt::Debug for Ascending<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ascending").finish_non_exhaustive()
    }
}

impl<K, V, I: Iterator<Item = (K, V)>> Ascending<I> {
    /// Of a sorted map, or a reference to one.
    pub fn new(pairs: impl IntoIterator<IntoIter = I>) -> Self {
        Self(pairs.into_iter().peekable())
    }

    /// The value of `key`, if it is there. Keys must be asked for in ascending order, each once: what lies before one
    /// that was asked for is gone.
    pub fn take<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        loop {
            match self.0.peek()?.0.borrow().cmp(key) {
                Ordering::Less => drop(self.0.next()),
                Ordering::Equal => return self.0.next().map(|(_, value)| value),
                Ordering::Greater => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_finds_what_the_map_would(map: BTreeMap<u8, u8>, keys: BTreeSet<u8>) {
            let mut ascending = Ascending::new(&map);
            for key in &keys {
                prop_assert_eq!(ascending.take(key), map.get(key));
            }
        }
    }
}
