//! Counters of the source. Labels are closed sets.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::kind::Kind;
use super::status::WatchState;
use crate::connect::Trouble;

/// Counters and gauges. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    states: Family<ByState, Gauge>,
    objects: Family<OfKind, Gauge>,
    events: Family<OfKind, Counter>,
    relists: Family<OfKind, Counter>,
    errors: Family<ByReason, Counter>,
    latency: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    kind: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    kind: &'static str,
    reason: &'static str,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            states: Family::default(),
            objects: Family::default(),
            events: Family::default(),
            relists: Family::default(),
            errors: Family::default(),
            // 10 µs to 10 s.
            latency: Histogram::new(exponential_buckets(0.000_01, 4.0, 11)),
        };
        let prefix = "isthmus_agent_kubernetes";
        let mut add = |name: &str, help: &str, metric: Family<OfKind, Counter>| {
            registry.register(format!("{prefix}_{name}"), help, metric);
        };
        add("events", "Events of watches, by kind", metrics.events.clone());
        add("relists", "Lists after a version was too old, by kind", metrics.relists.clone());
        let states = metrics.states.clone();
        registry.register(format!("{prefix}_watch_state"), "1 for the state in which each watch is", states);
        let objects = metrics.objects.clone();
        registry.register(format!("{prefix}_objects"), "Objects that are held, by kind", objects);
        let errors = metrics.errors.clone();
        registry.register(format!("{prefix}_errors"), "Requests that failed, by kind and reason", errors);
        registry.register(
            format!("{prefix}_publish_seconds"),
            "Time from the receipt of an event to its publication in this process",
            metrics.latency.clone(),
        );
        metrics
    }

    pub(super) fn state(&self, kind: Kind, now: WatchState) {
        for state in WatchState::ALL {
            let labels = ByState { kind: kind.word(), state: state.word() };
            self.states.get_or_create(&labels).set(i64::from(state == now));
        }
    }

    pub(super) fn objects(&self, kind: Kind, count: usize) {
        let labels = OfKind { kind: kind.word() };
        self.objects.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn event(&self, kind: Kind) {
        self.events.get_or_create(&OfKind { kind: kind.word() }).inc();
    }

    pub(super) fn relist(&self, kind: Kind) {
        self.relists.get_or_create(&OfKind { kind: kind.word() }).inc();
    }

    pub(super) fn error(&self, kind: Kind, trouble: &Trouble) {
        let reason = match trouble {
            Trouble::Refused { .. } => "refused",
            Trouble::Unreachable { .. } => "unreachable",
            Trouble::Certificate { .. } => "certificate",
            Trouble::Unauthorized => "unauthorized",
            Trouble::Forbidden { .. } => "forbidden",
            Trouble::NotFound { .. } => "not_found",
            Trouble::Busy => "busy",
            Trouble::Answer { .. } => "answer",
            Trouble::Nonsense { .. } => "nonsense",
        };
        self.errors.get_or_create(&ByReason { kind: kind.word(), reason }).inc();
    }

    pub(super) fn published(&self, after: Duration) {
        self.latency.observe(after.as_secs_f64());
    }
}
