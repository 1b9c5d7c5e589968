//! Why a write that is wanted is not made now.

use std::sync::Arc;
use std::time::Duration;

use agent_plan::mcs::Action;
use federation_kit::backoff::Backoff;
use serde::Serialize;
use tokio::time::Instant;

use super::answer::Outcome;

/// First and longest pause after a failure; each is drawn from the upper half of a ceiling that doubles.
const FAILED: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// Pauses after a conflict that did not go away at once.
const CONFLICT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));
/// Pauses after a refusal that time may heal: a quota, a webhook.
const LATER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// Pauses while the namespace or the object is gone; the watches say so sooner.
const GONE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Why a write failed, as far as somebody should look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Why {
    /// The API server does not take what we say.
    Refused,
    /// The API server or its admission takes it now or later, not now.
    Denied,
    /// The object changes all the time while we write it.
    Conflict,
    /// The API server is busy.
    Overloaded,
    /// The API server failed or did not answer.
    Failed,
    /// Its namespace, or it itself, is going away.
    Gone,
    /// Somebody else writes the same; we do once a minute.
    Fight,
    /// RBAC.
    Forbidden,
    /// The CRD is missing.
    Missing,
}

/// A write that failed, and when it may be tried again.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) why: Why,
    /// In the API server's words.
    pub(super) message: String,
    until: Until,
    backoff: Backoff,
    failures: u32,
}

#[derive(Debug)]
enum Until {
    /// Then, whatever is wanted.
    Time(Instant),
    /// As soon as something else is wanted than this.
    Changed(Arc<Action>),
}

impl Hold {
    /// After a first failure, or after one more. `None` if the outcome is none that holds one target back.
    pub(super) fn after(
        held: Option<Self>,
        action: &Arc<Action>,
        outcome: &Outcome,
        now: Instant,
    ) -> Option<Self> {
        let (why, message, (min, max)) = match outcome {
            Outcome::Done(_) | Outcome::Forbidden { .. } | Outcome::NoSuchKind => return None,
            Outcome::Conflict => (Why::Conflict, "it changes all the time", CONFLICT),
            Outcome::Refused { message, later: true } => (Why::Denied, message.as_str(), LATER),
            Outcome::Refused { message, later: false } => (Why::Refused, message.as_str(), LATER),
            Outcome::Gone => (Why::Gone, "its namespace or the object is going away", GONE),
            Outcome::Overloaded(_) => (Why::Overloaded, "the API server is busy", FAILED),
            Outcome::Failed(message) => (Why::Failed, message.as_str(), FAILED),
        };
        let (mut backoff, failures) = match held {
            Some(held) if held.why == why => (held.backoff, held.failures.saturating_add(1)),
            _ => (Backoff::new(min, max), 1),
        };
        let until = match outcome {
            Outcome::Refused { later: false, .. } => Until::Changed(Arc::clone(action)),
            // What was written from is out of date; by now a newer state is here or on its way.
            Outcome::Conflict if failures == 1 => Until::Time(now),
            // What the server asks for, and our jitter on top, so that all do not come back at once.
            Outcome::Overloaded(Some(pause)) => Until::Time(now + *pause + backoff.next_delay()),
            _ => Until::Time(now + backoff.next_delay()),
        };
        Some(Self { why, message: message.to_owned(), until, backoff, failures })
    }

    /// Whether `action` must wait now.
    pub(super) fn holds(&self, action: &Action, now: Instant) -> bool {
        match &self.until {
            Until::Time(until) => now < *until,
            Until::Changed(_) => self.concerns(action),
        }
    }

    /// Whether it is about `action` and not only about something else that was wanted before.
    pub(super) fn concerns(&self, action: &Action) -> bool {
        match &self.until {
            Until::Time(_) => true,
            Until::Changed(refused) => **refused == *action,
        }
    }

    /// When it ends by itself.
    pub(super) fn ends(&self) -> Option<Instant> {
        match self.until {
            Until::Time(until) => Some(until),
            Until::Changed(_) => None,
        }
    }

    /// Whether people should hear of it: not of what heals by itself before anybody could look.
    pub(super) fn is_failure(&self) -> bool {
        match self.why {
            Why::Conflict => self.failures > 3,
            Why::Gone => false,
            _ => true,
        }
    }
}
