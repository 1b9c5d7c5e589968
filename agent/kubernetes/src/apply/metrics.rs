//! Counters of the controller. Their labels are closed sets.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::answer::Outcome;
use super::target::{Kind, Part, Target};

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
enum Ended {
    done,
    conflict,
    forbidden,
    refused,
    gone,
    missing,
    overloaded,
    failed,
}

impl From<&Outcome> for Ended {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done(_) => Self::done,
            Outcome::Conflict => Self::conflict,
            Outcome::Forbidden { .. } => Self::forbidden,
            Outcome::Refused { .. } => Self::refused,
            Outcome::Gone => Self::gone,
            Outcome::NoSuchKind => Self::missing,
            Outcome::Overloaded(_) => Self::overloaded,
            Outcome::Failed(_) => Self::failed,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    kind: Kind,
    part: Part,
    outcome: Ended,
}

/// Counters and gauges. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    writes: Family<Write, Counter>,
    write_seconds: Histogram,
    queued: Gauge,
    in_flight: Gauge,
    decide_seconds: Histogram,
    settle_seconds: Histogram,
    fights: Counter,
    events: Counter,
    events_dropped: Counter,
}

impl Metrics {
    /// Makes and registers them under `isthmus_agent_apply_`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            writes: Family::default(),
            // 1 ms to 33 s.
            write_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            queued: Gauge::default(),
            in_flight: Gauge::default(),
            // 10 µs to 2.6 s.
            decide_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 10)),
            // 1 ms to 131 s.
            settle_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            fights: Counter::default(),
            events: Counter::default(),
            events_dropped: Counter::default(),
        };
        let mut registry = registry.sub_registry_with_prefix("isthmus_agent_apply");
        let r = &mut registry;
        r.register("writes", "Writes to the API server, by kind and how they ended", metrics.writes.clone());
        r.register("write_seconds", "Time of one write", metrics.write_seconds.clone());
        r.register("queued", "Writes that are wanted and not under way", metrics.queued.clone());
        r.register("in_flight", "Writes under way", metrics.in_flight.clone());
        let help = "Time to work out what to write";
        r.register("decide_seconds", help, metrics.decide_seconds.clone());
        let help = "Time from a change until everything that follows from it is written";
        r.register("settle_seconds", help, metrics.settle_seconds.clone());
        r.register(
            "fights",
            "Objects found to be written by somebody else over and over",
            metrics.fights.clone(),
        );
        r.register("events", "Kubernetes Events sent", metrics.events.clone());
        let help =
            "Kubernetes Events not sent, because they were too many or the API server did not take them";
        r.register("events_dropped", help, metrics.events_dropped.clone());
        metrics
    }

    pub(super) fn wrote(&self, target: &Target, outcome: &Outcome, took: Duration) {
        let label = Write { kind: target.kind(), part: target.part, outcome: outcome.into() };
        self.writes.get_or_create(&label).inc();
        self.write_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn queue(&self, queued: usize, in_flight: usize) {
        self.queued.set(i64::try_from(queued).unwrap_or(i64::MAX));
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }

    pub(super) fn decided(&self, took: Duration) {
        self.decide_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn settled(&self, took: Duration) {
        self.settle_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn fight(&self) {
        self.fights.inc();
    }

    pub(super) fn event(&self, sent: bool) {
        if sent {
            self.events.inc()
        } else {
            self.events_dropped.inc()
        };
    }
}
