//! From when until when a certificate holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

use crate::error::TrustError;

/// How far certificates are dated back, so that a peer whose clock is a little behind accepts them at once.
pub const BACK_DATING: Duration = Duration::from_secs(60);

/// A span of time, in whole seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// First second.
    pub not_before: i64,
    /// Last second.
    pub not_after: i64,
}

impl Lifetime {
    /// From `now`, dated back by [`BACK_DATING`], for `length` after `now`.
    pub fn starting_at(now: SystemTime, length: Duration) -> Self {
        let now = unix_seconds(now);
        let back = i64::try_from(BACK_DATING.as_secs()).unwrap_or(0);
        let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        Self { not_before: now.saturating_sub(back), not_after: now.saturating_add(length) }
    }

    /// The part of this span that lies inside `outer`; none if there is no such part.
    #[must_use]
    pub fn within(self, outer: Self) -> Option<Self> {
        let inner = Self {
            not_before: self.not_before.max(outer.not_before),
            not_after: self.not_after.min(outer.not_after),
        };
        (inner.not_before < inner.not_after).then_some(inner)
    }

    pub(crate) fn dates(self) -> Result<(OffsetDateTime, OffsetDateTime), TrustError> {
        let date = |at: i64| OffsetDateTime::from_unix_timestamp(at).map_err(|_| TrustError::Time(at));
        Ok((date(self.not_before)?, date(self.not_after)?))
    }
}

/// Whole seconds since the epoch, negative before it.
pub(crate) fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |s| -s),
    }
}

/// The moment of whole seconds since the epoch; the epoch itself for what a `SystemTime` cannot say.
pub(crate) fn system_time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    at.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_dated_back_and_cut_to_the_outer_one() {
        let now = system_time(1_000_000);
        let life = Lifetime::starting_at(now, Duration::from_secs(3_600));
        assert_eq!(life, Lifetime { not_before: 999_940, not_after: 1_003_600 });
        let outer = Lifetime { not_before: 0, not_after: 1_000_100 };
        assert_eq!(life.within(outer), Some(Lifetime { not_before: 999_940, not_after: 1_000_100 }));
        assert_eq!(life.within(Lifetime { not_before: 0, not_after: 10 }), None);
    }

    #[test]
    fn extreme_times_are_errors_and_not_panics() {
        let life = Lifetime::starting_at(system_time(0), Duration::MAX);
        assert!(matches!(life.dates(), Err(TrustError::Time(_))));
    }
}
