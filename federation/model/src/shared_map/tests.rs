use std::collections::BTreeMap;
use std::ops::Bound;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Insert(u16, u8),
    Remove(u16),
    Add(u16),
    /// A version is kept, and must not change any more.
    Keep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few enough keys that they are met again, enough for several branches.
    let key = 0u16..2_000;
    let step = prop_oneof![
        40 => (key.clone(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
        15 => key.clone().prop_map(Step::Remove),
        5 => key.prop_map(Step::Add),
        1 => Just(Step::Keep),
    ];
    proptest::collection::vec(step, 0..3_000)
}

fn sorted(pairs: u16) -> SharedMap<u16, u16> {
    (0..pairs).map(|key| (key, key)).collect()
}

fn leaves<K, V>(map: &SharedMap<K, V>) -> impl Iterator<Item = &Arc<Leaf<K, V>>> {
    map.branches.iter().flat_map(|branch| branch.of.iter().map(|leaf| &leaf.of))
}

/// Branches and leaves that two maps do not share.
fn own(one: &SharedMap<u16, u16>, other: &SharedMap<u16, u16>) -> (usize, usize) {
    let branches = one.branches.iter();
    (
        branches.filter(|own| !other.branches.iter().any(|theirs| Arc::ptr_eq(&own.of, &theirs.of))).count(),
        leaves(one).filter(|own| !leaves(other).any(|theirs| Arc::ptr_eq(own, theirs))).count(),
    )
}

proptest! {
    #[test]
    fn it_is_what_a_sorted_map_would_be_and_versions_stay_as_they_were(steps in steps(), bound: u16) {
        let (mut map, mut expected) = (SharedMap::new(), BTreeMap::new());
        let mut kept = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => prop_assert_eq!(map.insert(key, value), expected.insert(key, value)),
                Step::Remove(key) => prop_assert_eq!(map.remove(&key), expected.remove(&key)),
                Step::Add(key) => {
                    *map.get_or_insert_with(&key, || 7) ^= 1;
                    *expected.entry(key).or_insert(7) ^= 1;
                }
                Step::Keep => kept.push((map.clone(), expected.clone())),
            }
            prop_assert_eq!(map.len(), expected.len());
        }
        kept.push((map, expected));
        for (map, expected) in kept {
            prop_assert!(map.iter().eq(&expected));
            prop_assert!(map.branches.iter().all(|branch| (1..=FANOUT).contains(&branch.of.len())));
            prop_assert!(leaves(&map).all(|leaf| (1..=FANOUT).contains(&leaf.len())));
            for key in 0..2_000 {
                prop_assert_eq!(map.get(&key), expected.get(&key));
            }
            let after = (Bound::Excluded(bound % 2_000), Bound::Unbounded);
            prop_assert!(map.after(after.0.as_ref()).eq(expected.range(after)));
            let from = (Bound::Included(bound % 2_000), Bound::Unbounded);
            prop_assert!(map.after(from.0.as_ref()).eq(expected.range(from)));
            let written = serde_json::to_string(&map).unwrap();
            prop_assert_eq!(&written, &serde_json::to_string(&expected).unwrap());
            prop_assert_eq!(serde_json::from_str::<SharedMap<u16, u8>>(&written).unwrap(), map);
        }
    }
}

#[test]
fn a_change_copies_one_branch_and_one_leaf() {
    let before = sorted(10_000);
    let mut after = before.clone();
    assert_eq!(own(&after, &before), (0, 0));
    after.insert(5_000, 1);
    *after.get_mut(&5_001).unwrap() = 2;
    assert_eq!(own(&after, &before), (1, 1));
    assert_eq!((before[&5_000], after[&5_000], after[&5_001]), (5_000, 1, 2));
}

#[test]
fn what_is_filled_in_order_is_full() {
    let map = sorted(10_240);
    assert_eq!((map.branches.len(), leaves(&map).count()), (10_240 / FANOUT / FANOUT, 10_240 / FANOUT));
}
