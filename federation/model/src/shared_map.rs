//! A sorted map of which many versions live at the same time: a clone shares with its original what neither changes.
//!
//! The pairs are in leaves, the leaves in branches, the branches in a list. A clone is a pointer to the list; a change copies the
//! list, one branch and one leaf if somebody else has them too. List and branches say themselves where each part begins, so that
//! a search touches one leaf. With 25,000 pairs the list has some hundred parts and the others sixteen, where a `BTreeMap`
//! would copy every pair.

mod serialised;

use std::borrow::Borrow;
use std::fmt;
use std::ops::{Bound, Index};
use std::sync::Arc;

/// Most pairs of a leaf, and most leaves of a branch. A change costs a reference counted up and down again for each
/// pair of a leaf; and a leaf of this size is small enough for an allocator's quick lists.
const FANOUT: usize = 16;

/// Sorted, and never empty.
type Leaf<K, V> = Vec<(K, V)>;
/// Each leaf after the one before; never empty.
type Branch<K, V> = Vec<Part<K, Leaf<K, V>>>;

/// A part, and where it begins: no key in it is less, unless it is the first of all, and all of the part before are.
#[derive(Clone)]
struct Part<K, T> {
    from: K,
    of: Arc<T>,
}

impl<K: Clone, V> Part<K, Leaf<K, V>> {
    fn of_one(key: K, value: V) -> Self {
        Self { from: key.clone(), of: Arc::new(vec![(key, value)]) }
    }
}

impl<K, V> Part<K, Branch<K, V>> {
    fn of_leaf(leaf: Part<K, Leaf<K, V>>) -> Self
    where
        K: Clone,
    {
        Self { from: leaf.from.clone(), of: Arc::new(vec![leaf]) }
    }
}

/// Which of `parts` a key is in, or would be.
fn part_of<K: Borrow<Q>, Q: Ord + ?Sized, T>(parts: &[Part<K, T>], key: &Q) -> usize {
    parts.partition_point(|part| part.from.borrow() <= key).saturating_sub(1)
}

/// A sorted map whose clones share.
pub struct SharedMap<K, V> {
    /// Each after the one before.
    branches: Arc<Vec<Part<K, Branch<K, V>>>>,
    len: usize,
}

/// Where a key is, or would be.
#[derive(Clone, Copy)]
struct Place {
    branch: usize,
    leaf: usize,
    at: usize,
    found: bool,
}

/// Whatever is in it.
impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { branches: Arc::clone(&self.branches), len: self.len }
    }
}

impl<K, V> SharedMap<K, V> {
    /// An empty map.
    pub fn new() -> Self {
        Self { branches: Arc::default(), len: 0 }
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
        self.iter_at(0, 0, 0)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    fn iter_at(&self, branch: usize, leaf: usize, at: usize) -> Iter<'_, K, V> {
        let mut branches = self.branches.get(branch..).unwrap_or_default().iter();
        let mut leaves = branches.next().and_then(|branch| branch.of.get(leaf..)).unwrap_or_default().iter();
        let pairs = leaves.next().and_then(|leaf| leaf.of.get(at..)).unwrap_or_default().iter();
        Iter { pairs, leaves, branches }
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        let branch = part_of(&self.branches, key);
        let leaves = self.branches.get(branch).map(|branch| branch.of.as_slice()).unwrap_or_default();
        let leaf = part_of(leaves, key);
        let search =
            |leaf: &Part<K, Leaf<K, V>>| leaf.of.binary_search_by(|(other, _)| other.borrow().cmp(key));
        match leaves.get(leaf).map_or(Err(0), search) {
            Ok(at) => Place { branch, leaf, at, found: true },
            Err(at) => Place { branch, leaf, at, found: false },
        }
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let Place { branch, leaf, at, found } = self.place(key);
        let (_, value) = self.branches.get(branch)?.of.get(leaf)?.of.get(at).filter(|_| found)?;
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
        let Place { branch, leaf, at, found } = self.place(key);
        self.iter_at(branch, leaf, if found { at + past } else { at })
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The leaf of a place, to be changed.
    fn leaf_mut(&mut self, place: Place) -> Option<&mut Leaf<K, V>> {
        let branch = Arc::make_mut(&mut Arc::make_mut(&mut self.branches).get_mut(place.branch)?.of);
        Some(Arc::make_mut(&mut branch.get_mut(place.leaf)?.of))
    }

    fn value_mut(&mut self, place: Place) -> Option<&mut V> {
        let (_, value) = self.leaf_mut(place)?.get_mut(place.at)?;
        Some(value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        if place.found { self.value_mut(place) } else { None }
    }

    /// The value of `key`, to be changed; made by `default` if there is none.
    pub fn get_or_insert_with(&mut self, key: &K, default: impl FnOnce() -> V) -> &mut V {
        let mut place = self.place(key);
        if !place.found {
            self.insert_at(place, key.clone(), default());
            place = self.place(key);
        }
        self.value_mut(place).expect("it is there, or was inserted just now")
    }

    /// Sets the value of `key`, and gives back the one before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let place = self.place(&key);
        if place.found {
            return self.value_mut(place).map(|present| std::mem::replace(present, value));
        }
        self.insert_at(place, key, value);
        None
    }

    /// Adds a pair where its key would be.
    fn insert_at(&mut self, place: Place, key: K, value: V) {
        self.len += 1;
        let branches = Arc::make_mut(&mut self.branches);
        let last_branch = place.branch + 1 >= branches.len();
        let Some(branch) = branches.get_mut(place.branch) else {
            branches.push(Part::of_leaf(Part::of_one(key, value)));
            return;
        };
        let branch = Arc::make_mut(&mut branch.of);
        let last_leaf = last_branch && place.leaf + 1 >= branch.len();
        let Some(leaf) = branch.get_mut(place.leaf) else {
            branch.push(Part::of_one(key, value));
            return;
        };
        if last_leaf && place.at >= FANOUT {
            // Filled in order: what is full stays full.
            let leaf = Part::of_one(key, value);
            if branch.len() >= FANOUT {
                branches.push(Part::of_leaf(leaf));
            } else {
                branch.push(leaf);
            }
            return;
        }
        let leaf = Arc::make_mut(&mut leaf.of);
        leaf.insert(place.at, (key, value));
        if leaf.len() > FANOUT
            && let Some(second) = split(leaf, |(key, _)| key.clone())
        {
            branch.insert(place.leaf + 1, second);
            if branch.len() > FANOUT
                && let Some(second) = split(branch, |leaf| leaf.from.clone())
            {
                branches.insert(place.branch + 1, second);
            }
        }
    }

    /// Takes `key` away, and gives back its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        if !place.found {
            return None;
        }
        let branches = Arc::make_mut(&mut self.branches);
        let branch = Arc::make_mut(&mut branches.get_mut(place.branch)?.of);
        let leaf = Arc::make_mut(&mut branch.get_mut(place.leaf)?.of);
        let (_, value) = leaf.remove(place.at);
        self.len -= 1;
        if leaf.is_empty() {
            branch.remove(place.leaf);
        }
        if branch.is_empty() {
            branches.remove(place.branch);
        }
        Some(value)
    }
}

/// Takes the second half of `whole` away.
fn split<K, T>(whole: &mut Vec<T>, from: impl Fn(&T) -> K) -> Option<Part<K, Vec<T>>> {
    let second = whole.split_off(FANOUT / 2);
    Some(Part { from: from(second.first()?), of: Arc::new(second) })
}

/// All pairs of a [`SharedMap`], sorted.
pub struct Iter<'a, K, V> {
    pairs: std::slice::Iter<'a, (K, V)>,
    leaves: std::slice::Iter<'a, Part<K, Leaf<K, V>>>,
    branches: std::slice::Iter<'a, Part<K, Branch<K, V>>>,
}

impl<K, V> fmt::Debug for Iter<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Iter").finish_non_exhaustive()
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.pairs.next() {
                return Some((key, value));
            }
            match self.leaves.next() {
                Some(leaf) => self.pairs = leaf.of.iter(),
                None => self.leaves = self.branches.next()?.of.iter(),
            }
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
        let same = |(one, other): (&Part<_, _>, &Part<_, _>)| Arc::ptr_eq(&one.of, &other.of);
        let shared = self.branches.len() == other.branches.len()
            && self.branches.iter().zip(&*other.branches).all(same);
        shared || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[cfg(test)]
mod tests;
