//! Many measurements of one thing.

use std::time::Duration;

/// Durations, in any order.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    sorted: Vec<Duration>,
}

impl Samples {
    /// Adds one.
    pub fn add(&mut self, sample: Duration) {
        let at = self.sorted.partition_point(|other| *other <= sample);
        self.sorted.insert(at, sample);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.sorted.len() as u64
    }

    /// The smallest sample that at least `percent` of all are not above (nearest rank); none without samples.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.sorted.len() * percent.min(100)).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied()
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(all: I) -> Self {
        let mut sorted: Vec<Duration> = all.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

/// Milliseconds with three decimals.
pub fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(50), None);
        for n in (1..=100).rev() {
            samples.add(Duration::from_millis(n));
        }
        let at = |percent| samples.percentile(percent).unwrap().as_millis();
        assert_eq!([at(0), at(50), at(99), at(100)], [1, 50, 99, 100]);
        assert_eq!(samples.count(), 100);
    }

    #[test]
    fn a_single_sample_is_every_percentile() {
        let mut samples = Samples::default();
        samples.add(Duration::from_micros(1_234));
        assert_eq!(samples.percentile(1), samples.percentile(99));
        assert_eq!(millis(samples.percentile(99).unwrap()).to_string(), "1.234");
    }
}
