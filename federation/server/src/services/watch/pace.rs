//! How often a watcher is woken, where something changes all the time.
//!
//! What one change costs is mostly the waking, the encryption and the system call, at both ends, and hardly what is in it;
//! and whoever may not see it is woken too. So whoever has looked at changes rests for about as long as it takes to
//! tell everybody as much, and what happens meanwhile comes together. Where changes are rare that is nothing; where they
//! are many, and watchers are many, it is a moment. A change that comes alone waits for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// What one change costs for one watcher, at both ends, where it comes alone.
const EACH: Duration = Duration::from_micros(60);
/// The longest rest, whatever has changed.
const LONGEST: Duration = Duration::from_millis(40);

/// When one watcher may look again.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rests_until: Option<Instant>,
}

impl Pace {
    /// It has looked at so many `changes` now; so many `watchers` are at this server.
    pub(super) fn looked_at(&mut self, changes: usize, watchers: i64) {
        let watchers = u32::try_from(watchers.max(0)).unwrap_or(u32::MAX);
        let all = u32::try_from(changes).unwrap_or(u32::MAX).saturating_mul(watchers);
        self.rests_until = Some(Instant::now() + EACH.saturating_mul(all).min(LONGEST));
    }

    /// Until when it rests; none if it does not.
    pub(super) fn rests(&mut self) -> Option<Instant> {
        self.rests_until.take().filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_has_looked_at_changes_rests_and_nobody_else() {
        let mut pace = Pace::default();
        assert_eq!(pace.rests(), None);
        pace.looked_at(2, 100);
        assert_eq!(pace.rests(), Some(Instant::now() + Duration::from_millis(12)));
        pace.looked_at(2, 100);
        tokio::time::advance(Duration::from_millis(12)).await;
        assert_eq!(pace.rests(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_is_bounded_however_many_there_are() {
        for (changes, watchers) in [(0, 9), (9, -1), (1, 1), (1, 10_000), (usize::MAX, i64::MAX)] {
            let mut pace = Pace::default();
            pace.looked_at(changes, watchers);
            assert!(pace.rests().is_none_or(|until| until <= Instant::now() + LONGEST), "{watchers}");
        }
    }
}
