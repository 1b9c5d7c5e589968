//! How patient the servers are with each other.

use openraft::{Config, SnapshotPolicy};

/// Entries after which a snapshot is made, and the log before it may be purged.
const SNAPSHOT_EVERY: u64 = 5_000;
/// Entries kept although a snapshot holds them, for followers that lag a little.
const KEEP: u64 = 1_000;
/// Bytes of a snapshot in one message.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Raft's clocks. A follower calls an election when it heard nothing for `election_max` plus its own draw between
/// `election_min` and `election_max`, and looks at its clock every one and a half heartbeats (openraft 0.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Milliseconds between heartbeats, and the longest that one append may take.
    pub heartbeat_millis: u64,
    /// Shortest election timeout, in milliseconds.
    pub election_min_millis: u64,
    /// Longest election timeout, in milliseconds; also the leader's lease.
    pub election_max_millis: u64,
    /// Entries between snapshots.
    pub snapshot_every: u64,
}

impl Default for Timing {
    /// For a LAN and for laptops: an idle server wakes up a few times a second, and a dead leader is replaced within
    /// 1.5 seconds: 500 ms of lease, 300 to 500 ms of patience, and up to 300 ms until a follower looks. See
    /// `examples/failover.rs`.
    fn default() -> Self {
        Self {
            heartbeat_millis: 200,
            election_min_millis: 300,
            election_max_millis: 500,
            snapshot_every: SNAPSHOT_EVERY,
        }
    }
}

impl Timing {
    pub(crate) fn config(self, clusterset: &str) -> Result<Config, Box<openraft::ConfigError>> {
        Config {
            cluster_name: clusterset.to_owned(),
            heartbeat_interval: self.heartbeat_millis,
            election_timeout_min: self.election_min_millis,
            election_timeout_max: self.election_max_millis,
            install_snapshot_timeout: 10_000,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(self.snapshot_every),
            replication_lag_threshold: self.snapshot_every.saturating_mul(2),
            snapshot_max_chunk_size: CHUNK_BYTES,
            max_in_snapshot_log_to_keep: KEEP.min(self.snapshot_every),
            purge_batch_size: 256,
            ..Config::default()
        }
        .validate()
        .map_err(Box::new)
    }
}
