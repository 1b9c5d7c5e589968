//! Whose turn it is: proposals wait in one line for each origin, and the lines take turns.

use std::collections::{BTreeMap, VecDeque};

use federation_model::{ClusterId, Command};
use serde::{Deserialize, Serialize};

/// Most proposals of one origin that wait.
const LINE: usize = 1_024;

/// On whose behalf something is proposed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// The agent of this cluster.
    Cluster(ClusterId),
    /// Operators, those who join, and the servers' own chores.
    Others,
}

impl Origin {
    /// Whom `commands` are for. What is proposed together is for one.
    pub(crate) fn of(commands: &[Command]) -> Self {
        commands
            .iter()
            .find_map(Command::agent_of)
            .map_or(Self::Others, |cluster| Self::Cluster(cluster.clone()))
    }
}

/// Items that wait, by origin.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    /// None is empty.
    lines: BTreeMap<Origin, VecDeque<T>>,
    /// The origins of all lines, each once, next first.
    turns: VecDeque<Origin>,
    len: usize,
}

/// What a group may hold, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// All together, unless one item alone is larger.
    pub(super) all: usize,
    /// Those of one origin, unless one item alone is larger: a line that is long makes nobody's entry large.
    pub(super) each: usize,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self { lines: BTreeMap::new(), turns: VecDeque::new(), len: 0 }
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds `item` at the end of its line, or gives it back if the line is full.
    pub(super) fn push(&mut self, origin: Origin, item: T) -> Result<(), T> {
        match self.lines.get_mut(&origin) {
            Some(line) if line.len() >= LINE => return Err(item),
            Some(line) => line.push_back(item),
            None => {
                self.turns.push_back(origin.clone());
                self.lines.insert(origin, VecDeque::from([item]));
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Takes the next group: one item of each line in turn, again and again, while there is room. Lines that have had their
    /// share, or that `may` passes over, wait behind the others.
    pub(super) fn take(
        &mut self,
        room: Room,
        size: impl Fn(&T) -> usize,
        may: impl Fn(&Origin) -> bool,
    ) -> Vec<(Origin, T)> {
        let mut group = Vec::new();
        let mut bytes = 0usize;
        let mut shares: BTreeMap<Origin, usize> = BTreeMap::new();
        let mut resting = VecDeque::new();
        while let Some(origin) = self.turns.pop_front() {
            let Some(line) = self.lines.get_mut(&origin) else { continue };
            let Some(next) = line.front().map(&size) else { continue };
            let share = shares.get(&origin).map(|share| share.saturating_add(next));
            if share.is_some_and(|share| share > room.each) || !may(&origin) {
                resting.push_back(origin);
                continue;
            }
            if !group.is_empty() && bytes.saturating_add(next) > room.all {
                self.turns.push_front(origin);
                break;
            }
            bytes = bytes.saturating_add(next);
            shares.insert(origin.clone(), share.unwrap_or(next));
            group.extend(line.pop_front().map(|item| (origin.clone(), item)));
            if line.is_empty() {
                self.lines.remove(&origin);
            } else {
                self.turns.push_back(origin);
            }
        }
        self.turns.append(&mut resting);
        self.len = self.len.saturating_sub(group.len());
        group
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(name: &str) -> Origin {
        Origin::Cluster(name.parse().unwrap())
    }

    /// Items are (name, size).
    fn take(queue: &mut FairQueue<(u32, usize)>, all: usize, each: usize) -> Vec<u32> {
        let group = queue.take(Room { all, each }, |(_, size)| *size, |_| true);
        group.into_iter().map(|(_, (name, _))| name).collect()
    }

    #[test]
    fn lines_take_turns_and_a_long_one_takes_no_more_than_its_share() {
        let mut queue = FairQueue::new();
        for name in 0..10 {
            queue.push(origin("flood"), (name, 10)).unwrap();
        }
        queue.push(origin("calm"), (100, 10)).unwrap();
        queue.push(origin("west"), (200, 10)).unwrap();
        assert_eq!(take(&mut queue, 1_000, 30), [0, 100, 200, 1, 2]);
        queue.push(origin("calm"), (101, 10)).unwrap();
        assert_eq!(take(&mut queue, 1_000, 30), [3, 101, 4, 5]);
        assert_eq!((queue.len(), take(&mut queue, 1_000, 1_000).len()), (4, 4));
        assert_eq!((take(&mut queue, 1, 1), queue.len()), (vec![], 0));
    }

    #[test]
    fn whoever_found_no_room_is_first_the_next_time() {
        let mut queue = FairQueue::new();
        for name in [1, 2] {
            queue.push(origin("east"), (name, 60)).unwrap();
        }
        queue.push(origin("west"), (3, 60)).unwrap();
        assert_eq!(take(&mut queue, 100, 100), [1]);
        assert_eq!(take(&mut queue, 100, 100), [3]);
        // One that is larger than any group is a group of its own.
        queue.push(origin("west"), (4, 500)).unwrap();
        assert_eq!(take(&mut queue, 100, 100), [2]);
        assert_eq!(take(&mut queue, 100, 100), [4]);
    }

    #[test]
    fn a_line_is_bounded_and_others_are_not_touched_by_it() {
        let mut queue = FairQueue::new();
        let taken = (0..).take_while(|name| queue.push(origin("flood"), (*name, 1)).is_ok()).count();
        assert_eq!(taken, LINE);
        assert_eq!(queue.push(origin("calm"), (0, 1)), Ok(()));
        assert_eq!(queue.push(Origin::Others, (0, 1)), Ok(()));
    }

    #[test]
    fn lines_that_may_not_are_passed_over_and_keep_their_place_among_themselves() {
        let mut queue = FairQueue::new();
        for (name, cluster) in [(1, "east"), (2, "west"), (3, "south")] {
            queue.push(origin(cluster), (name, 1)).unwrap();
        }
        let only_west = queue.take(Room { all: 9, each: 9 }, |_| 1, |who| *who == origin("west"));
        assert_eq!(only_west, [(origin("west"), (2, 1))]);
        assert_eq!(take(&mut queue, 9, 9), [1, 3]);
    }

    proptest! {
        /// Nothing is lost, nothing of one origin overtakes, and nobody waits while another is served twice.
        #[test]
        fn every_line_goes_in_order_and_has_its_turn(
            pushes in proptest::collection::vec((0..5_u32, 1..40_usize), 1..200),
            all in 1..200_usize,
            each in 1..100_usize,
        ) {
            let mut queue = FairQueue::new();
            for (at, (who, size)) in (0_u32..).zip(&pushes) {
                let pushed = queue.push(origin(&format!("c{who}")), (at, *size));
                prop_assert!(pushed.is_ok());
            }
            let mut last = BTreeMap::new();
            let mut waited: BTreeMap<Origin, usize> = BTreeMap::new();
            let mut out = 0;
            while queue.len() > 0 {
                let group = queue.take(Room { all, each }, |(_, size)| *size, |_| true);
                prop_assert!(!group.is_empty());
                let bytes: usize = group.iter().map(|(_, (_, size))| size).sum();
                prop_assert!(bytes <= all || group.len() == 1);
                for (who, (at, _)) in &group {
                    prop_assert!(last.insert(who.clone(), *at).is_none_or(|before| before < *at));
                    waited.remove(who);
                }
                out += group.len();
                for who in &queue.turns {
                    if !group.iter().any(|(served, _)| served == who) {
                        let rounds = waited.entry(who.clone()).or_default();
                        *rounds += 1;
                        prop_assert!(*rounds <= 5, "{:?} waits for ever", who);
                    }
                }
            }
            prop_assert_eq!(out, pushes.len());
        }
    }
}
