//! The agent's own counters. DNS and xDS have theirs.

use std::time::Duration;

use agent_plan::LocalView;
use federation_model::Revision;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::source::{Reason, SourceState};

/// Counters and gauges. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    problems: Family<ByReason, Gauge>,
    plans: Counter,
    plan_seconds: Histogram,
    exports: Family<ByState, Gauge>,
    names: Gauge,
    revision: Gauge,
    connected: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            problems: Family::default(),
            plans: Counter::default(),
            // 10 µs to 10 s.
            plan_seconds: Histogram::new(exponential_buckets(0.000_01, 4.0, 11)),
            exports: Family::default(),
            names: Gauge::default(),
            revision: Gauge::default(),
            connected: Gauge::default(),
        };
        let problems = metrics.problems.clone();
        registry.register("isthmus_agent_source_problems", "Problems in the source now, by reason", problems);
        registry.register("isthmus_agent_plans", "Plans made", metrics.plans.clone());
        registry.register(
            "isthmus_agent_plan_seconds",
            "Time from a change to its plan being in force in this process",
            metrics.plan_seconds.clone(),
        );
        registry.register(
            "isthmus_agent_exports",
            "ServiceExports, by whether they are valid",
            metrics.exports.clone(),
        );
        registry.register("isthmus_agent_names", "Services that DNS answers for", metrics.names.clone());
        registry.register(
            "isthmus_agent_applied_revision",
            "Revision of the view in force",
            metrics.revision.clone(),
        );
        registry.register(
            "isthmus_agent_connected",
            "1 while a federation server is talked to",
            metrics.connected.clone(),
        );
        metrics
    }

    /// Notes what the source said.
    pub fn source(&self, state: &SourceState) {
        for reason in Reason::ALL {
            let count = state.problems.iter().filter(|problem| problem.reason == reason).count();
            self.problems.get_or_create(&ByReason { reason: reason.word() }).set(number(count));
        }
    }

    /// Notes a plan that is in force.
    pub fn planned(&self, local: &LocalView, names: usize, revision: Revision, took: Duration) {
        self.plans.inc();
        self.plan_seconds.observe(took.as_secs_f64());
        for (state, count) in [("valid", local.exports.len()), ("invalid", local.invalid.len())] {
            self.exports.get_or_create(&ByState { state }).set(number(count));
        }
        self.names.set(number(names));
        self.revision.set(i64::try_from(revision.0).unwrap_or(i64::MAX));
    }

    /// Notes whether a server is talked to.
    pub fn connected(&self, connected: bool) {
        self.connected.set(i64::from(connected));
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
