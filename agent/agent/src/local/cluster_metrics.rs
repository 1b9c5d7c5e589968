//! The agent's own gauges of a cluster of Kubernetes. The source and the controller have theirs.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Gauges. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    ports: Family<ByState, Gauge>,
    gateways: Family<ByState, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByState {
    state: &'static str,
}

impl ClusterMetrics {
    /// Makes and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self { ports: Family::default(), gateways: Family::default() };
        registry.register(
            "isthmus_agent_egress_ports",
            "Imported ports, by whether gateways have a port to listen at for them",
            metrics.ports.clone(),
        );
        registry.register(
            "isthmus_agent_gateways",
            "Gateways of this cluster: ready ones, and addresses that other clusters dial",
            metrics.gateways.clone(),
        );
        metrics
    }

    /// Notes the assignment of ports.
    pub fn ports(&self, assigned: usize, missing: usize) {
        for (state, count) in [("assigned", assigned), ("missing", missing)] {
            self.ports.get_or_create(&ByState { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Notes the gateways.
    pub fn gateways(&self, ready: usize, external: usize) {
        for (state, count) in [("ready", ready), ("external", external)] {
            self.gateways.get_or_create(&ByState { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
