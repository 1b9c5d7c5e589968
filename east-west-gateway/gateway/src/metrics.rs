//! What the gateway counts. Every label is a closed word: no name that a peer sent is ever one.

use east_west_gateway_route::RefusalReason;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Which way a connection goes, seen from the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From another cluster to a local endpoint.
    Ingress,
    /// From a local client to an import.
    Egress,
}

impl Direction {
    /// The label's value.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        }
    }
}

/// How the gateway carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// TLS relayed by SNI, untouched.
    Relay,
    /// mTLS ended here.
    Terminate,
    /// Plain to an endpoint of the same cluster.
    Plain,
    /// mTLS begun here.
    Originate,
}

impl Mode {
    fn label(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Terminate => "terminate",
            Self::Plain => "plain",
            Self::Originate => "originate",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CarriedLabels {
    direction: &'static str,
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FlowLabels {
    direction: &'static str,
    flow: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

/// The two byte counters of one direction.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// From whoever connected.
    pub from_client: Counter,
    /// To whoever connected.
    pub to_client: Counter,
}

/// Every metric of the gateway. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    refused: Family<ReasonLabel, Counter>,
    connections: Family<CarriedLabels, Counter>,
    active: Family<DirectionLabel, Gauge>,
    ended: Family<ReasonLabel, Counter>,
    bytes: Family<FlowLabels, Counter>,
    configurations: Family<OutcomeLabel, Counter>,
    /// Dials of endpoints and targets that failed; another may have been tried after.
    pub dial_failures: Counter,
    /// Binds of egress listeners that failed; each is tried again.
    pub bind_failures: Counter,
    listeners: Family<StateLabel, Gauge>,
    /// Errors of accepting that were not one client's, such as too many open files.
    pub accept_failures: Counter,
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            refused: Family::default(),
            connections: Family::default(),
            active: Family::default(),
            ended: Family::default(),
            bytes: Family::default(),
            configurations: Family::default(),
            dial_failures: Counter::default(),
            bind_failures: Counter::default(),
            listeners: Family::default(),
            accept_failures: Counter::default(),
        };
        let gateway = registry.sub_registry_with_prefix("isthmus_gateway");
        gateway.register("refused", "Connections that got nowhere, by reason", metrics.refused.clone());
        gateway.register("connections", "Connections carried", metrics.connections.clone());
        gateway.register("connections_active", "Connections being carried", metrics.active.clone());
        gateway.register("ended", "Ends of carried connections, by reason", metrics.ended.clone());
        gateway.register("bytes", "Bytes carried, without TLS", metrics.bytes.clone());
        let configurations = metrics.configurations.clone();
        gateway.register("configurations", "Configurations received, by what became of them", configurations);
        gateway.register("dial_failures", "Dials that failed", metrics.dial_failures.clone());
        gateway.register("bind_failures", "Egress binds that failed", metrics.bind_failures.clone());
        gateway.register("egress_listeners", "Egress listeners, by state", metrics.listeners.clone());
        gateway.register("accept_failures", "Accepts that failed", metrics.accept_failures.clone());
        // A reason that has not happened yet is zero, not absent: rates and alerts need the first one.
        for reason in RefusalReason::ALL {
            drop(metrics.refused.get_or_create(&ReasonLabel { reason: reason.label() }));
        }
        metrics
    }

    /// A connection got nowhere.
    pub fn refused(&self, reason: RefusalReason) {
        self.refused.get_or_create(&ReasonLabel { reason: reason.label() }).inc();
    }

    /// How many were refused for `reason`.
    pub fn refusals(&self, reason: RefusalReason) -> u64 {
        self.refused.get_or_create(&ReasonLabel { reason: reason.label() }).get()
    }

    /// A connection is carried, until the returned value is dropped.
    pub fn carried(&self, direction: Direction, mode: Mode) -> Carried {
        self.connections
            .get_or_create(&CarriedLabels { direction: direction.label(), mode: mode.label() })
            .inc();
        let active = self.active.get_or_create_owned(&DirectionLabel { direction: direction.label() });
        active.inc();
        Carried { active }
    }

    /// A carried connection ended.
    pub fn ended(&self, reason: &'static str) {
        self.ended.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// The byte counters of one direction.
    pub fn bytes(&self, direction: Direction) -> Bytes {
        let flow = |flow| self.bytes.get_or_create_owned(&FlowLabels { direction: direction.label(), flow });
        Bytes { from_client: flow("from_client"), to_client: flow("to_client") }
    }

    /// Of `all` egress listeners that are wanted, `listening` are served.
    pub fn listeners(&self, listening: usize, all: usize) {
        let failed = all.saturating_sub(listening);
        for (state, count) in [("listening", listening), ("failed", failed)] {
            let gauge = self.listeners.get_or_create(&StateLabel { state });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A configuration was applied, or refused whole.
    pub fn configuration(&self, applied: bool) {
        let outcome = if applied { "applied" } else { "refused" };
        self.configurations.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

/// Holds the gauge of active connections up.
#[derive(Debug)]
pub struct Carried {
    active: Gauge,
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.active.dec();
    }
}
