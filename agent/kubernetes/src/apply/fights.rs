//! Who else writes what we write: objects that have to be put right again and again.

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use agent_plan::mcs::Action;
use tokio::time::Instant;

use super::target::Target;

/// The time in which writes of one thing are counted, and the pause between them once it is a fight.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// How often a thing may be put right within [`WINDOW`].
pub(super) const ALLOWED: usize = 5;

/// What was written to which target lately. Forgets what is older than two windows.
#[derive(Debug, Default)]
pub(super) struct Fights {
    records: HashMap<Target, Record>,
    next_pruning: Option<Instant>,
}

#[derive(Debug)]
struct Record {
    content: u64,
    /// Writes of this content, oldest first; at most [`ALLOWED`] + 2. The first was no putting right.
    writes: VecDeque<Instant>,
    fighting: bool,
}

impl Fights {
    /// Notes a write that was done. Says whether a fight has just begun.
    pub(super) fn wrote(&mut self, target: &Target, action: &Action, now: Instant) -> bool {
        let content = fingerprint(action);
        let fresh = Record { content, writes: VecDeque::new(), fighting: false };
        let record = self.records.entry(target.clone()).or_insert(fresh);
        if record.content != content {
            *record = Record { content, writes: VecDeque::new(), fighting: false };
        }
        record.writes.push_back(now);
        if record.writes.len() > ALLOWED + 2 {
            record.writes.pop_front();
        }
        let first = record.writes.front().copied().unwrap_or(now);
        let many = record.writes.len() > ALLOWED + 1 && now < first + WINDOW;
        let begun = many && !record.fighting;
        record.fighting |= many;
        begun
    }

    /// Until when `action` must wait now because of a fight; `None` if it need not.
    pub(super) fn pause(&self, target: &Target, action: &Action, now: Instant) -> Option<Instant> {
        self.until(target, action).filter(|until| now < *until)
    }

    /// When the pause ends that a fight puts on `action`, which may have passed.
    pub(super) fn until(&self, target: &Target, action: &Action) -> Option<Instant> {
        let record = self.records.get(target).filter(|record| record.fighting)?;
        let last = *record.writes.back()?;
        (record.content == fingerprint(action)).then_some(last + WINDOW)
    }

    /// Targets that are fought over.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.records.iter().filter(|(_, record)| record.fighting).map(|(target, _)| target)
    }

    /// Forgets what is old. Cheap when it was called within the last window.
    pub(super) fn prune(&mut self, now: Instant) {
        if self.next_pruning.is_some_and(|next| now < next) {
            return;
        }
        self.next_pruning = Some(now + WINDOW);
        // A fight is over when nothing had to be put right for a window after the last putting right was allowed.
        self.records.retain(|_, record| record.writes.back().is_some_and(|last| now < *last + 2 * WINDOW));
    }
}

/// A hash of what the action says, without the uid of what it deletes: the same thing deleted again is a fight too.
fn fingerprint(action: &Action) -> u64 {
    struct Sink(DefaultHasher);
    impl fmt::Write for Sink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut sink = Sink(DefaultHasher::new());
    // The sink takes everything.
    let _ = match action {
        Action::Delete { object, .. } => write!(sink, "{object:?}"),
        action => write!(sink, "{action:?}"),
    };
    sink.0.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(value: &str) -> Action {
        Action::ApplyProperty { name: "clusterset.k8s.io".into(), value: value.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn putting_right_a_sixth_time_within_a_minute_is_a_fight_and_then_there_is_one_a_minute() {
        let (mut fights, action) = (Fights::default(), property("a"));
        let target = Target::of(&action);
        let begun: Vec<bool> = (0..8).map(|_| fights.wrote(&target, &action, Instant::now())).collect();
        assert_eq!(begun, [false, false, false, false, false, false, true, false]);
        assert!(fights.pause(&target, &action, Instant::now()).is_some());
        assert!(fights.pause(&target, &property("b"), Instant::now()).is_none(), "what is new is no fight");
        tokio::time::advance(WINDOW).await;
        assert!(fights.pause(&target, &action, Instant::now()).is_none());
        assert!(!fights.wrote(&target, &action, Instant::now()));
        assert!(fights.pause(&target, &action, Instant::now()).is_some(), "once a minute");
    }

    #[tokio::test(start_paused = true)]
    async fn changing_ones_mind_is_no_fight_and_what_is_old_is_forgotten() {
        let mut fights = Fights::default();
        let target = Target::of(&property("a"));
        for round in 0..20 {
            assert!(!fights.wrote(&target, &property(["a", "b"][round % 2]), Instant::now()));
        }
        tokio::time::advance(3 * WINDOW).await;
        let other = Action::ApplyProperty { name: "x".into(), value: "y".into() };
        fights.wrote(&Target::of(&other), &other, Instant::now());
        fights.prune(Instant::now());
        assert_eq!(fights.records.len(), 1);
    }
}
