//! Which write is next. Pure but for the clock's readings that are handed in: no I/O, no tasks.
//!
//! Invariants: one write of an object at a time, [`AT_ONCE`] in all; what is wanted now replaces what was wanted before,
//! whole; a write that was done is not made again until it is wanted anew; there is always room for what is urgent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::{Action, Object};
use tokio::time::Instant;

use super::answer::Outcome;
use super::fights::Fights;
use super::hold::{Hold, Why};
use super::status::{ApplyStatus, Failing};
use super::target::{Kind, Part, Rank, Target, Urgency};

/// Writes under way at once.
pub(super) const AT_ONCE: usize = 32;
/// Of these, writes that can wait: an import that comes now finds room, however much of the others is left to do.
const LATER_AT_ONCE: usize = 24;
/// How long a kind of write rests after the API server said that we may not make it.
const FORBIDDEN: Duration = Duration::from_secs(30);
/// How long a kind of object that the API server does not know is left alone; the watches find out sooner.
const NO_SUCH_KIND: Duration = Duration::from_secs(60);

/// Everything that is wanted, under way, and held back.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// May be written as soon as there is room.
    ready: BTreeMap<Rank, Arc<Action>>,
    /// Must wait for a time, or for another content.
    waiting: BTreeMap<Rank, Arc<Action>>,
    in_flight: HashMap<Object, Arc<Action>>,
    holds: HashMap<Target, Hold>,
    pauses: BTreeMap<(Kind, Part), Pause>,
    fights: Fights,
}

/// A kind of write that rests.
#[derive(Debug)]
struct Pause {
    until: Instant,
    why: Why,
    message: String,
}

/// What came of a write, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notable {
    /// Nothing that they need to hear.
    Nothing,
    /// Somebody else writes the same.
    Fight(Object),
    /// The API server does not take it.
    Refused(Object, String),
    /// We may not.
    Forbidden(String),
}

impl Schedule {
    /// Replaces what is wanted. What is under way goes on.
    pub(super) fn want(&mut self, actions: Vec<Action>, now: Instant) {
        let mut old = std::mem::take(&mut self.ready);
        old.append(&mut self.waiting);
        for action in actions {
            let rank = Rank::of(&action);
            // The same allocation is kept, so that comparing with what was refused is cheap.
            let action = match old.remove(&rank) {
                Some(held) if *held == action => held,
                _ => Arc::new(action),
            };
            self.ready.insert(rank, action);
        }
        let (ready, in_flight) = (&self.ready, &self.in_flight);
        let wanted: HashSet<&Target> = ready.keys().map(|rank| &rank.target).collect();
        self.holds.retain(|target, _| wanted.contains(target) || in_flight.contains_key(&target.object));
        self.pauses.retain(|_, pause| now < pause.until);
        self.fights.prune(now);
    }

    /// What the API server knows has changed: kinds that it did not know may be tried.
    pub(super) fn capabilities_changed(&mut self) {
        self.pauses.retain(|_, pause| pause.why != Why::Missing);
        self.ready.append(&mut self.waiting);
    }

    /// Takes the next write, which is then under way; `None` if there is no room, or nothing may be written now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Arc<Action>> {
        if self.in_flight.len() >= AT_ONCE {
            return None;
        }
        let later = self.in_flight.values().filter(|action| Urgency::of(action).can_wait()).count();
        let mut blocked = Vec::new();
        let mut found = None;
        for (rank, action) in &self.ready {
            if rank.urgency.can_wait() && later >= LATER_AT_ONCE {
                break;
            }
            if self.in_flight.contains_key(&rank.target.object) {
                continue;
            }
            if self.blocked(&rank.target, action, now) {
                blocked.push(rank.clone());
                continue;
            }
            found = Some(rank.clone());
            break;
        }
        for rank in blocked {
            if let Some(action) = self.ready.remove(&rank) {
                self.waiting.insert(rank, action);
            }
        }
        let rank = found?;
        let action = self.ready.remove(&rank)?;
        self.in_flight.insert(rank.target.object, Arc::clone(&action));
        Some(action)
    }

    /// Notes how a write ended.
    pub(super) fn finished(&mut self, action: &Arc<Action>, outcome: &Outcome, now: Instant) -> Notable {
        let target = Target::of(action);
        self.in_flight.remove(&target.object);
        let held = self.holds.remove(&target);
        let known = held.as_ref().map(|held| held.why);
        if let Some(hold) = Hold::after(held, action, outcome, now) {
            self.holds.insert(target.clone(), hold);
        }
        match outcome {
            Outcome::Done(_) => {
                // It may have been wanted anew meanwhile, from what was known before it was done.
                let rank = Rank::of(action);
                for queue in [&mut self.ready, &mut self.waiting] {
                    if queue.get(&rank).is_some_and(|again| again == action) {
                        queue.remove(&rank);
                    }
                }
                if self.fights.wrote(&target, action, now) {
                    return Notable::Fight(target.object);
                }
            }
            _ => {
                // Still wanted, unless something newer is.
                self.ready.entry(Rank::of(action)).or_insert_with(|| Arc::clone(action));
            }
        }
        match outcome {
            Outcome::Forbidden { verb } => {
                let message = missing_rule(&target, verb);
                let pause = Pause { until: now + FORBIDDEN, why: Why::Forbidden, message: message.clone() };
                let known = self.pauses.insert((target.kind(), target.part), pause);
                if known.is_none() { Notable::Forbidden(message) } else { Notable::Nothing }
            }
            Outcome::NoSuchKind => {
                let message = "the API server does not know this kind; is the CRD installed?".to_owned();
                let pause = Pause { until: now + NO_SUCH_KIND, why: Why::Missing, message };
                self.pauses.insert((target.kind(), target.part), pause);
                Notable::Nothing
            }
            Outcome::Refused { message, later: false } if known != Some(Why::Refused) => {
                Notable::Refused(target.object, message.clone())
            }
            _ => Notable::Nothing,
        }
    }

    /// When something that waits may be written, at the earliest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let ends = self.waiting.iter().filter_map(|(rank, action)| self.ends(&rank.target, action));
        ends.min()
    }

    /// What waited for a time up to now waits no longer.
    pub(super) fn wake(&mut self, now: Instant) {
        let waiting = std::mem::take(&mut self.waiting);
        for (rank, action) in waiting {
            let queue =
                if self.blocked(&rank.target, &action, now) { &mut self.waiting } else { &mut self.ready };
            queue.insert(rank, action);
        }
    }

    /// Writes that may be made as soon as there is room.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Whether nothing is left to do but what cannot be done: everything that could be written is.
    pub(super) fn settled(&self) -> bool {
        self.in_flight.is_empty()
            && self.ready.is_empty()
            && self.waiting.keys().all(|rank| self.given_up(&rank.target))
    }

    fn given_up(&self, target: &Target) -> bool {
        let hold = self.holds.get(target).is_some_and(|hold| matches!(hold.why, Why::Refused | Why::Gone));
        hold || self.pauses.contains_key(&(target.kind(), target.part))
            || self.fights.targets().any(|one| one == target)
    }

    fn blocked(&self, target: &Target, action: &Action, now: Instant) -> bool {
        let paused = self.pauses.get(&(target.kind(), target.part)).is_some_and(|pause| now < pause.until);
        paused
            || self.holds.get(target).is_some_and(|hold| hold.holds(action, now))
            || self.fights.pause(target, action, now).is_some()
    }

    fn ends(&self, target: &Target, action: &Action) -> Option<Instant> {
        let hold = self.holds.get(target).filter(|hold| hold.concerns(action));
        if hold.is_some_and(|hold| hold.ends().is_none()) {
            return None;
        }
        let pause = self.pauses.get(&(target.kind(), target.part)).map(|pause| pause.until);
        let fight = self.fights.until(target, action);
        [pause, hold.and_then(Hold::ends), fight].into_iter().flatten().max()
    }

    /// What is to be told of it, with at most `most` objects by name.
    pub(super) fn status(&self, most: usize) -> ApplyStatus {
        let mut failing: Vec<Failing> = Vec::new();
        let mut more = 0;
        let mut holds: Vec<(&Target, &Hold)> =
            self.holds.iter().filter(|(_, hold)| hold.is_failure()).collect();
        holds.sort_by_key(|(target, _)| *target);
        for (target, hold) in holds {
            if failing.len() >= most {
                more += 1;
                continue;
            }
            let (object, part) = (target.object.to_string(), target.part);
            failing.push(Failing { object, part, why: hold.why, message: hold.message.clone() });
        }
        let fights: BTreeSet<&Object> = self.fights.targets().map(|target| &target.object).collect();
        let fights = fights.into_iter().take(most).map(ToString::to_string).collect();
        let paused = self.pauses.iter().map(|((kind, part), pause)| super::status::Paused {
            kind: *kind,
            part: *part,
            why: pause.why,
            message: pause.message.clone(),
        });
        ApplyStatus {
            pending: self.ready.len() + self.waiting.len(),
            in_flight: self.in_flight.len(),
            failing,
            more,
            paused: paused.collect(),
            fights,
            foreign: Vec::new(),
        }
    }
}

/// The rule to add, as `kubectl` and the chart name it.
fn missing_rule(target: &Target, verb: &str) -> String {
    let (resource, group) = target.kind().resource();
    let sub = if target.part == Part::status { "/status" } else { "" };
    let dot = if group.is_empty() { "" } else { "." };
    format!("the agent's ClusterRole lacks the verb {verb:?} for {resource}{sub}{dot}{group}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_is_urgent_however_much_else_is_left_to_do() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        let started = |schedule: &mut Schedule| std::iter::from_fn(|| schedule.next(now)).count();
        let property = |index| Action::ApplyProperty { name: format!("p{index}"), value: String::new() };
        let export = |index| Action::ApplyExportStatus {
            id: format!("demo/s{index}").parse().unwrap(),
            conditions: Vec::new(),
        };
        schedule.want((0..100).map(property).collect(), now);
        assert_eq!(started(&mut schedule), LATER_AT_ONCE);
        schedule.want((0..100).map(export).chain((0..100).map(property)).collect(), now);
        assert_eq!(started(&mut schedule), AT_ONCE - LATER_AT_ONCE);
    }
}
