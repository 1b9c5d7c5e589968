//! How long the disk and the group take.

use federation_model::UnixMillis;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// What a server measures of itself. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// From the engine's write to the disk's word, for each flush.
    pub(crate) flush: Histogram,
    /// From the proposal of an entry to its outcome at the leader, for each entry that this server proposed as leader.
    pub(crate) commit: Histogram,
    /// Changes in those entries: how well they are grouped.
    pub(crate) changes: Counter,
    /// Time that committed entries take to become the catalogue, as many of them as come together.
    pub(crate) apply: Histogram,
    /// When the last batch in the last snapshot was proposed, in seconds since the Unix epoch.
    pub(crate) snapshot: Gauge,
}

impl Default for Metrics {
    /// From 100 microseconds to 13 seconds.
    fn default() -> Self {
        let histogram = || Histogram::new(exponential_buckets(0.000_1, 2.0, 18));
        Self {
            flush: histogram(),
            commit: histogram(),
            changes: Counter::default(),
            apply: histogram(),
            snapshot: Gauge::default(),
        }
    }
}

impl Metrics {
    /// There is a snapshot of what was applied at `at`.
    pub(crate) fn snapshot_of(&self, at: UnixMillis) {
        self.snapshot.set(i64::try_from(at.0 / 1_000).unwrap_or(i64::MAX));
    }

    /// Registers all of them.
    pub fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        let raft = registry.sub_registry_with_prefix("raft");
        raft.register_with_unit(
            "flush",
            "Time that flushes of the log take",
            Unit::Seconds,
            this.flush.clone(),
        );
        raft.register_with_unit(
            "commit",
            "Time from an entry's proposal to its commit, at the leader",
            Unit::Seconds,
            this.commit.clone(),
        );
        raft.register(
            "committed_changes",
            "Changes in the entries that this leader committed",
            this.changes.clone(),
        );
        raft.register_with_unit(
            "apply",
            "Time that committed entries take to become the catalogue",
            Unit::Seconds,
            this.apply.clone(),
        );
        raft.register_with_unit(
            "snapshot_timestamp",
            "When the last change in this server's snapshot was proposed, by the leader's clock",
            Unit::Seconds,
            this.snapshot.clone(),
        );
        this
    }
}
