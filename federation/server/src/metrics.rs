//! What a server counts. A label's value is a closed word, or the id of a registered cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation_kit::grpc::HandshakeMetrics;
use federation_model::Cluster;
use federation_raft::{Node, Standing};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::services::{Lag, Lags};

/// A lease that ends so soon was not renewed for two of an agent's reports, in milliseconds.
const LATE_MILLIS: u64 = 4_000;

/// Counters of the services. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    refused: Family<[(&'static str, &'static str); 1], Counter>,
    /// The reasons that have a counter.
    reasons: Arc<Mutex<BTreeSet<&'static str>>>,
    /// Open watch streams.
    pub watchers: Gauge,
    /// Open publish streams.
    pub publishers: Gauge,
    /// Bytes of messages handed to the transport for watchers, with gRPC's framing.
    pub watch_sent: Counter,
    /// Changes asked for by agents and operators, committed or rejected.
    pub commands: Counter,
    /// Memory in use, in bytes.
    pub resident: Gauge<u64, AtomicU64>,
    /// 1 while that is more than the limit.
    pub memory_pressure: Gauge,
}

/// TLS handshakes of the two ports.
#[derive(Debug, Clone, Default)]
pub struct PortMetrics {
    /// The API port.
    pub api: HandshakeMetrics,
    /// The Raft port.
    pub raft: HandshakeMetrics,
}

impl Metrics {
    /// Registers everything that needs no node, under `isthmus_`.
    pub fn register(registry: &mut Registry) -> (Self, PortMetrics) {
        let metrics = Self::default();
        let ours = registry.sub_registry_with_prefix("isthmus");
        ours.register("refused", "Calls and changes refused, by reason", metrics.refused.clone());
        ours.register("watchers", "Open watch streams", metrics.watchers.clone());
        ours.register("publishers", "Open publish streams", metrics.publishers.clone());
        let sent = "Messages sent to watchers, with the framing of gRPC";
        ours.register_with_unit("watch_sent", sent, Unit::Bytes, metrics.watch_sent.clone());
        ours.register("commands", "Changes asked for by agents and operators", metrics.commands.clone());
        ours.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, metrics.resident.clone());
        let pressure = metrics.memory_pressure.clone();
        ours.register("memory_pressure", "1 while more memory is in use than the limit", pressure);
        let api = HandshakeMetrics::register(ours.sub_registry_with_prefix("api"));
        let raft = HandshakeMetrics::register(ours.sub_registry_with_prefix("raft"));
        (metrics, PortMetrics { api, raft })
    }

    /// Counts a refusal. `reason` is one of a closed set of words.
    pub fn refuse(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner).insert(reason);
    }

    /// All refusals counted, by reason.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.iter().map(|reason| (*reason, self.refused(reason))).collect()
    }

    /// Refusals counted for `reason`.
    #[must_use]
    pub fn refused(&self, reason: &'static str) -> u64 {
        self.refused.get_or_create(&[("reason", reason)]).get()
    }
}

/// Raft's figures, read when they are asked for.
#[derive(Debug)]
pub struct NodeCollector(pub Node);

impl Collector for NodeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let status = self.0.status();
        let gauge = |number: u64| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let now = self.0.last_batch_at();
        let (clusters, alive, ending, exports) = self.0.read(|state, _| {
            let held = |cluster: &&Cluster| cluster.lease.is_held();
            let ends = |cluster: &&Cluster| cluster.lease.ends_within(LATE_MILLIS, now);
            let count = |filter: &dyn Fn(&&Cluster) -> bool| state.clusters().filter(filter).count();
            (state.clusters().count(), count(&held), count(&ends), state.exports().count())
        });
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let takes_part = *self.0.standing().borrow() == Standing::Member;
        let figures = [
            (
                "isthmus_raft_takes_part",
                "0 if this server waits to be added, or has lost its data",
                u64::from(takes_part),
            ),
            ("isthmus_raft_term", "Raft term", status.leadership.term),
            ("isthmus_raft_is_leader", "1 if this server leads", u64::from(status.leadership.is_leader())),
            (
                "isthmus_raft_has_leader",
                "1 if this server knows a leader",
                u64::from(status.leadership.leader.is_some()),
            ),
            ("isthmus_raft_applied_revision", "Last applied revision", status.revision.0),
            ("isthmus_raft_last_log_index", "Last entry in the log", status.last_log_index),
            ("isthmus_raft_snapshot_index", "Last entry in the snapshot", status.snapshot_index),
            ("isthmus_clusters", "Registered clusters", count(clusters)),
            ("isthmus_clusters_alive", "Registered clusters whose lease is held", count(alive)),
            ("isthmus_leases_ending", "Held leases of clusters whose last renewal is late", count(ending)),
            ("isthmus_exports", "Exports in the catalogue", count(exports)),
        ];
        for (name, help, number) in figures {
            let metric = gauge(number);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let room = *self.0.room().borrow();
        let full = gauge(u64::from(room.low));
        let (name, help) = ("isthmus_raft_disk_full", "1 if too little is free: the server takes no writes");
        full.encode(encoder.encode_descriptor(name, help, None, full.metric_type())?)?;
        let disk = gauge(status.disk_bytes);
        let (name, help) = ("isthmus_raft_disk", "Size of log and snapshot on disk");
        disk.encode(encoder.encode_descriptor(name, help, Some(&Unit::Bytes), disk.metric_type())?)
    }
}

/// How far watchers are behind, by cluster: registered ones only.
#[derive(Debug)]
pub struct WatchCollector(pub Node, pub Arc<Lags>);

impl Collector for WatchCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let now = self.0.last_batch_at();
        let lags = self.0.read(|state, changes| self.1.now(state, changes, now));
        let queue: fn(&Lag) -> f64 = |lag| lag.queue as f64;
        let figures = [
            ("isthmus_watch_queue", "Changes that a cluster's watch was not shown yet", None, queue),
            ("isthmus_watch_lag_revisions", "Revisions that it is behind", None, |lag| lag.revisions as f64),
            ("isthmus_watch_lag", "Age of the oldest of those changes", Some(&Unit::Seconds), |lag| {
                Duration::from_millis(lag.millis).as_secs_f64()
            }),
        ];
        for (name, help, unit, figure) in figures {
            let mut family = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
            for (cluster, lag) in &lags {
                ConstGauge::new(figure(lag))
                    .encode(family.encode_family(&[("cluster", cluster.as_str())])?)?;
            }
        }
        Ok(())
    }
}
