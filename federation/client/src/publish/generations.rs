//! The exporter's counter.
//!
//! Generations start from the wall clock, in milliseconds, so that an agent whose disk was lost counts on from above
//! where it was. A clock that was set back is caught by what the federation shows of our own exports.

use federation_model::{Generation, UnixMillis};

#[derive(Debug, Default)]
pub(super) struct Generations {
    last: u64,
}

impl Generations {
    /// A generation above every earlier one, above `present` (what the federation has), and not below the clock.
    pub(super) fn next(&mut self, now: UnixMillis, present: Option<Generation>) -> Generation {
        let above = |generation: u64| generation.saturating_add(1);
        self.last = above(self.last).max(now.0).max(present.map_or(0, |p| above(p.0)));
        Generation(self.last)
    }

    /// The federation has something of ours at `present`: whatever comes is above it.
    pub(super) fn seen(&mut self, present: Generation) {
        self.last = self.last.max(present.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_only_grow_whatever_the_clock_does() {
        let mut generations = Generations::default();
        let mut next =
            |now, present: Option<u64>| generations.next(UnixMillis(now), present.map(Generation)).0;
        assert_eq!(next(1_000, None), 1_000);
        assert_eq!(next(1_000, None), 1_001);
        assert_eq!(next(500, Some(1_000)), 1_002);
        assert_eq!(next(500, Some(7_000)), 7_001);
        assert_eq!(next(9_000, Some(7_000)), 9_000);
        assert_eq!(next(0, Some(u64::MAX)), u64::MAX);
        let mut generations = Generations::default();
        generations.seen(Generation(5_000));
        generations.seen(Generation(4_000));
        assert_eq!(generations.next(UnixMillis(1_000), None), Generation(5_001));
    }
}
