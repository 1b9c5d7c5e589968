//! What the seed decides in the simulated world: one generator, drawn from in the one order in which things happen.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Cheap to clone; clones draw from the same generator.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// Everything follows from `seed`.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From `low` to `high`, both included.
    #[must_use]
    pub fn number(&self, low: u64, high: u64) -> u64 {
        self.with(|rng| rng.random_range(low..=high.max(low)))
    }

    /// So many milliseconds, both included.
    #[must_use]
    pub fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.number(low, high))
    }

    /// Between the two, to the microsecond.
    #[must_use]
    pub fn micros(&self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.number(low, high))
    }

    /// True in so many of a thousand cases.
    #[must_use]
    pub fn permille(&self, of: u64) -> bool {
        self.number(0, 999) < of
    }

    /// One of them; none of nothing.
    #[must_use]
    pub fn pick<T: Clone>(&self, all: &[T]) -> Option<T> {
        self.with(|rng| all.choose(rng).cloned())
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chance").finish_non_exhaustive()
    }
}
