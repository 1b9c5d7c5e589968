//! How fast a cluster may change things: a bucket of tokens for each, filled as time passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation_model::ClusterId;
use tokio::time::Instant;

use super::Limits;

/// Buckets kept although they are full again.
const IDLE: usize = 1_024;

/// Tokens of one cluster. Pure: time is since any moment that does not change.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    /// What one token costs, in time.
    price: Duration,
    /// What a full bucket is worth.
    full: Duration,
    /// When the bucket will be full, or was.
    full_at: Duration,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let price = Duration::from_secs(1) / limits.changes_per_second.get();
        Self { price, full: price.saturating_mul(limits.changes_burst.get()), full_at: Duration::ZERO }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// When there is none: how long to wait for one.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.price;
        let empty_at = now + self.full;
        if full_at > empty_at {
            return Err(full_at - empty_at);
        }
        self.full_at = full_at;
        Ok(())
    }

    fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

/// The buckets of all clusters. Clones are the same.
#[derive(Debug, Clone)]
pub struct Rates {
    limits: Limits,
    since: Instant,
    buckets: Arc<Mutex<BTreeMap<ClusterId, Bucket>>>,
}

impl Rates {
    /// All full.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, since: Instant::now(), buckets: Arc::default() }
    }

    /// Takes a token of `cluster`.
    ///
    /// # Errors
    /// When there is none: how long to wait for one.
    pub fn take(&self, cluster: &ClusterId) -> Result<(), Duration> {
        let now = self.since.elapsed();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(cluster) {
            return bucket.take(now);
        }
        if buckets.len() >= IDLE {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        buckets.entry(cluster.clone()).or_insert_with(|| Bucket::new(&self.limits)).take(now)
    }

    /// Waits for a token of `cluster`. Meanwhile its stream is not read, and then it cannot be written either.
    pub async fn wait(&self, cluster: &ClusterId) {
        while let Err(wait) = self.take(cluster) {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_burst_is_let_through_and_then_so_many_a_second() {
        let number = |number| std::num::NonZeroU32::new(number).unwrap();
        let limits = Limits { changes_per_second: number(10), changes_burst: number(3), ..Limits::default() };
        let mut bucket = Bucket::new(&limits);
        let taken = |bucket: &mut Bucket, now| (0..20).take_while(|_| bucket.take(now).is_ok()).count();
        assert_eq!(taken(&mut bucket, millis(1_000)), 3);
        assert_eq!(bucket.take(millis(1_000)), Err(millis(100)));
        assert_eq!(bucket.take(millis(1_060)), Err(millis(40)));
        assert_eq!(taken(&mut bucket, millis(1_250)), 2);
        assert_eq!(bucket.take(millis(1_250)), Err(millis(50)));
        assert!(!bucket.is_full(millis(1_400)));
        assert!(bucket.is_full(millis(9_000)));
        assert_eq!(taken(&mut bucket, millis(9_000)), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn clusters_do_not_wait_for_each_other() {
        let limits = Limits { changes_burst: std::num::NonZeroU32::MIN, ..Limits::default() };
        let rates = Rates::new(limits);
        let (east, west) = ("east".parse().unwrap(), "west".parse().unwrap());
        assert_eq!(rates.take(&east), Ok(()));
        assert!(rates.take(&east).is_err());
        assert_eq!(rates.take(&west), Ok(()));
        rates.wait(&east).await;
        assert!(rates.take(&east).is_err());
    }
}
