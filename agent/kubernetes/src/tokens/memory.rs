//! What was answered about tokens lately, and what is being asked.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::{ServiceAccount, TokenError};

/// SHA-256 of audience and token.
pub(super) type Key = [u8; 32];
/// A review under way, whoever waits for it.
pub(super) type UnderWay = Shared<BoxFuture<'static, Outcome>>;

/// The longest that a good answer counts: a deleted pod's token is good for so long.
pub(super) const LONGEST_GOOD: Duration = Duration::from_secs(60);
/// How long a bad answer counts.
pub(super) const BAD: Duration = Duration::from_secs(5);
/// Entries, of both kinds.
pub(super) const MOST: usize = 1024;

/// A finished review.
#[derive(Clone)]
pub(super) struct Outcome {
    /// The answer.
    pub(super) verdict: Result<ServiceAccount, TokenError>,
    /// How long it counts; not at all where nobody judged.
    pub(super) remember: Option<Duration>,
}

/// What is known of a token.
pub(super) enum Known {
    /// It was judged.
    Verdict(Result<ServiceAccount, TokenError>),
    /// It is being judged.
    UnderWay(UnderWay),
    /// Nothing.
    No,
}

/// At most [`MOST`] entries.
#[derive(Default)]
pub(super) struct Memory {
    verdicts: HashMap<Key, (Instant, Result<ServiceAccount, TokenError>)>,
    under_way: HashMap<Key, UnderWay>,
}

impl Memory {
    pub(super) fn find(&mut self, key: &Key) -> Known {
        if let Some((until, verdict)) = self.verdicts.get(key) {
            if Instant::now() < *until {
                return Known::Verdict(verdict.clone());
            }
            self.verdicts.remove(key);
        }
        self.under_way.get(key).map_or(Known::No, |review| Known::UnderWay(review.clone()))
    }

    /// Notes a review, and answers with the one that counts: an earlier one of the same token, if there is one. Where
    /// too many are noted this one is not, and only its own caller waits for it.
    pub(super) fn begin(&mut self, key: Key, fresh: UnderWay) -> UnderWay {
        if let Some(review) = self.under_way.get(&key) {
            return review.clone();
        }
        if self.under_way.len() < MOST {
            self.under_way.insert(key, fresh.clone());
        }
        fresh
    }

    /// Somebody stops to wait for `review`. If that was the last, it is over.
    pub(super) fn leave(&mut self, key: &Key, review: &UnderWay) {
        // Two handles are left: the one in here and the one that is going. A finished review has no count.
        let last = review.strong_count().is_some_and(|count| count <= 2);
        let noted = self.under_way.get(key).is_some_and(|noted| noted.ptr_eq(review));
        if last && noted {
            self.under_way.remove(key);
        }
    }

    /// Notes an answer. Everybody who waited calls this; the first is heard.
    pub(super) fn settle(
        &mut self,
        key: Key,
        verdict: &Result<ServiceAccount, TokenError>,
        remember: Option<Duration>,
    ) {
        if self.under_way.remove(&key).is_none() {
            return;
        }
        let Some(remember) = remember.filter(|remember| !remember.is_zero()) else { return };
        let now = Instant::now();
        if self.verdicts.len() >= MOST {
            self.verdicts.retain(|_, (until, _)| now < *until);
        }
        if self.verdicts.len() >= MOST {
            // Bad ones go first: whoever sends many must not push out what the others live on.
            let first = self.verdicts.iter().min_by_key(|(_, (until, verdict))| (verdict.is_ok(), *until));
            if let Some(first) = first.map(|(key, _)| *key) {
                self.verdicts.remove(&first);
            }
        }
        self.verdicts.insert(key, (now + remember, verdict.clone()));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.verdicts.len(), self.under_way.len())
    }
}
