//! What the API server holds as far as is known: what its watches said, and on top what was written since.
//!
//! A write's answer counts until the watch has delivered that version of the object or a later one. So nothing is written
//! twice while the watch is on its way, and what depends on a write follows from its answer.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::{Action, Object, Observed};
use tokio::time::Instant;

use super::answer::Written;
use super::held::{self, Seen};
use super::request::Sent;
use super::target::{Kind, Part, Target};

/// How long an answer counts that no watch confirms. Longer than any watch should take; then we look again at what the
/// watch says, and write again if it still says otherwise.
const UNCONFIRMED: Duration = Duration::from_secs(60);

/// A write that was done and that the watch has not delivered yet.
#[derive(Debug)]
struct Done {
    action: Arc<Action>,
    sent: Sent,
    written: Written,
}

/// Everything that was done to one object and not delivered yet.
#[derive(Debug)]
struct Ahead {
    object: Option<Done>,
    status: Option<Done>,
    deletion: Option<Done>,
    at: Instant,
}

/// The watch's word with our own writes on top.
#[derive(Debug)]
pub(super) struct View {
    observed: Arc<Observed>,
    /// `observed` with everything of `ahead`; `None` where there is nothing ahead.
    merged: Option<Box<Observed>>,
    ahead: HashMap<Object, Ahead>,
}

impl View {
    pub(super) fn new(observed: Arc<Observed>) -> Self {
        Self { observed, merged: None, ahead: HashMap::new() }
    }

    /// What is known now.
    pub(super) fn current(&self) -> &Observed {
        self.merged.as_deref().unwrap_or(&self.observed)
    }

    /// The watch has delivered something.
    pub(super) fn observe(&mut self, observed: Arc<Observed>, now: Instant) {
        self.observed = observed;
        let mut newest: HashMap<Kind, Option<u64>> = HashMap::new();
        let observed = &self.observed;
        self.ahead.retain(|object, ahead| {
            if now >= ahead.at + UNCONFIRMED {
                return false;
            }
            match held::seen(observed, object) {
                Some(seen) => !ahead.delivered(&seen),
                None if ahead.deletion.is_some() => false,
                // Not there: either the watch is behind, or somebody deleted it. A watch tells in order, so if it told
                // of something younger the object is gone.
                None => {
                    let kind = Kind::of(object);
                    let newest = *newest.entry(kind).or_insert_with(|| held::newest(observed, kind));
                    newest.is_none_or(|newest| ahead.version().is_none_or(|version| newest <= version))
                }
            }
        });
        self.merge();
    }

    /// A write was done. Says nothing about any other object.
    pub(super) fn wrote(&mut self, action: Arc<Action>, sent: Sent, written: Written, now: Instant) {
        let Target { object, part } = Target::of(&action);
        let merged = self.merged.get_or_insert_with(|| Box::new(Observed::clone(&self.observed)));
        held::replay(merged, &action, &sent, &written);
        let fresh = || Ahead { object: None, status: None, deletion: None, at: now };
        let ahead = self.ahead.entry(object).or_insert_with(fresh);
        ahead.at = now;
        let done = Some(Done { action, sent, written });
        match part {
            Part::object => ahead.object = done,
            Part::status => ahead.status = done,
            Part::deletion => ahead.deletion = done,
        }
        if part != Part::deletion {
            ahead.deletion = None;
        }
    }

    /// What we know of an object turned out to be wrong: only the watch's word counts for it from here on.
    pub(super) fn doubt(&mut self, object: &Object) {
        if self.ahead.remove(object).is_some() {
            self.merge();
        }
    }

    /// When an unconfirmed answer stops to count, at the earliest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ahead.values().map(|ahead| ahead.at + UNCONFIRMED).min()
    }

    /// Lets go of what was not confirmed in time.
    pub(super) fn expire(&mut self, now: Instant) {
        self.observe(Arc::clone(&self.observed), now);
    }

    fn merge(&mut self) {
        if self.ahead.is_empty() {
            self.merged = None;
            return;
        }
        let mut merged = Observed::clone(&self.observed);
        for ahead in self.ahead.values() {
            for done in [&ahead.object, &ahead.status, &ahead.deletion].into_iter().flatten() {
                held::replay(&mut merged, &done.action, &done.sent, &done.written);
            }
        }
        self.merged = Some(Box::new(merged));
    }
}

impl Ahead {
    /// Whether what the watch says is what we did, or later.
    fn delivered(&self, seen: &Seen<'_>) -> bool {
        if let Some(Done { action, .. }) = &self.deletion {
            let Action::Delete { uid, .. } = &**action else { return true };
            return seen.deleting || seen.uid != uid;
        }
        let dones = [&self.object, &self.status];
        dones.into_iter().flatten().all(|done| {
            // Another object of the same name: ours is gone.
            seen.uid != done.written.uid
                || version_order(seen.version, &done.written.resource_version) != Ordering::Less
        })
    }

    /// The latest version that we wrote; `None` if it is no number.
    fn version(&self) -> Option<u64> {
        let dones = [&self.object, &self.status].into_iter().flatten();
        dones.filter_map(|done| done.written.resource_version.parse().ok()).max()
    }
}

/// Versions of one kind are numbers that grow (KEP-5504; so they are in every API server on etcd). Of others it is only
/// known whether they are equal, and what the watch says then counts as later.
fn version_order(one: &str, other: &str) -> Ordering {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => Ordering::Equal,
    }
}
