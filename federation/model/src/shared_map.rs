//! A sorted map of which many versions live at the same time: a clone shares with its original what neither changes.
//!
//! The pairs are in a list of chunks. A clone copies the list, a change copies one chunk if somebody else has it too.
//! With some 25,000 pairs that is a few hundred pointers each, where a `BTreeMap` would copy every pair.

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, Index};
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Most pairs of one chunk. Near the cube root of the largest maps: a list of chunks and a chunk cost about the same.
const CHUNK: usize = 128;

/// A sorted map whose clones share.
#[derive(Clone)]
pub struct SharedMap<K, V> {
    /// Each sorted, none empty, each after the one before.
    chunks: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

/// Where a key is, or would be.
struct Place {
    chunk: usize,
    at: usize,
    found: bool,
}

impl<K, V> SharedMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All pairs, sorted.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.iter_at(0, 0)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn iter_at(&self, chunk: usize, at: usize) -> Iter<'_, K, V> {
        let mut chunks = self.chunks.get(chunk..).unwrap_or_default().iter();
        let first = chunks.next().and_then(|chunk| chunk.get(at..)).unwrap_or_default();
        Iter { chunk: first.iter(), chunks }
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        let begins_after =
            |chunk: &Arc<Vec<(K, V)>>| chunk.first().is_some_and(|(first, _)| first.borrow() > key);
        let chunk = self.chunks.partition_point(|chunk| !begins_after(chunk)).saturating_sub(1);
        let search = |chunk: &Arc<Vec<(K, V)>>| chunk.binary_search_by(|(other, _)| other.borrow().cmp(key));
        match self.chunks.get(chunk).map_or(Err(0), search) {
            Ok(at) => Place { chunk, at, found: true },
            Err(at) => Place { chunk, at, found: false },
        }
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let Place { chunk, at, found } = self.place(key);
        let (_, value) = self.chunks.get(chunk)?.get(at).filter(|_| found)?;
        Some(value)
    }

    /// Whether `key` is there.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).found
    }

    /// The pairs whose keys come after `key`, or all of them.
    pub fn after<Q: Ord + ?Sized>(&self, key: Bound<&Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let (key, past) = match key {
            Bound::Unbounded => return self.iter(),
            Bound::Included(key) => (key, 0),
            Bound::Excluded(key) => (key, 1),
        };
        let Place { chunk, at, found } = self.place(key);
        self.iter_at(chunk, if found { at + past } else { at })
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let Place { chunk, at, found } = self.place(key);
        if !found {
            return None;
        }
        let (_, value) = Arc::make_mut(self.chunks.get_mut(chunk)?).get_mut(at)?;
        Some(value)
    }

    /// The value of `key`, to be changed; made by `default` if there is none.
    pub fn get_or_insert_with(&mut self, key: &K, default: impl FnOnce() -> V) -> &mut V {
        if !self.contains_key(key) {
            self.insert(key.clone(), default());
        }
        self.get_mut(key).expect("it is there, or was inserted just now")
    }

    /// Sets the value of `key`, and gives back the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Place { chunk, at, found } = self.place(&key);
        let last = chunk + 1 >= self.chunks.len();
        let Some(pairs) = self.chunks.get_mut(chunk) else {
            self.chunks.push(Arc::new(vec![(key, value)]));
            self.len = 1;
            return None;
        };
        if found {
            let (_, present) = Arc::make_mut(pairs).get_mut(at)?;
            return Some(std::mem::replace(present, value));
        }
        self.len += 1;
        if last && at >= CHUNK {
            // Filled in order: full chunks stay full.
            self.chunks.push(Arc::new(vec![(key, value)]));
            return None;
        }
        let pairs = Arc::make_mut(pairs);
        pairs.insert(at, (key, value));
        if pairs.len() > CHUNK {
            let second = pairs.split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, Arc::new(second));
        }
        None
    }

    /// Takes `key` away, and gives back its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Place { chunk, at, found } = self.place(key);
        if !found {
            return None;
        }
        let pairs = Arc::make_mut(self.chunks.get_mut(chunk)?);
        let (_, value) = pairs.remove(at);
        self.len -= 1;
        if pairs.is_empty() {
            self.chunks.remove(chunk);
        }
        Some(value)
    }
}

/// All pairs of a [`SharedMap`], sorted.
#[derive(Debug)]
pub struct Iter<'a, K, V> {
    chunk: std::slice::Iter<'a, (K, V)>,
    chunks: std::slice::Iter<'a, Arc<Vec<(K, V)>>>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.chunk.next() {
                return Some((key, value));
            }
            self.chunk = self.chunks.next()?.iter();
        }
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

impl<K: Ord, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V>
where
    K: Borrow<Q>,
{
    type Output = V;

    /// Panics if `key` is not there.
    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("no entry found for key")
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

/// What is shared is not looked at.
impl<K: Eq, V: Eq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other)| Arc::ptr_eq(one, other);
        let shared =
            self.chunks.len() == other.chunks.len() && self.chunks.iter().zip(&other.chunks).all(same);
        shared || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// As any map.
impl<K: Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K, V> Deserialize<'de> for SharedMap<K, V>
where
    K: Deserialize<'de> + Ord + Clone,
    V: Deserialize<'de> + Clone,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<K, V>(SharedMap<K, V>);

        impl<'de, K, V> Visitor<'de> for Pairs<K, V>
        where
            K: Deserialize<'de> + Ord + Clone,
            V: Deserialize<'de> + Clone,
        {
            type Value = SharedMap<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(mut self, mut pairs: A) -> Result<Self::Value, A::Error> {
                while let Some((key, value)) = pairs.next_entry()? {
                    self.0.insert(key, value);
                }
                Ok(self.0)
            }
        }

        deserializer.deserialize_map(Pairs(Self::new()))
    }
}

#[cfg(test)]
mod tests;
