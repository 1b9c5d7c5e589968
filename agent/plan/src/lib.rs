//! What one cluster should do, as pure functions of what it is told.
//!
//! Owns: the shape of the cluster's own objects ([`objects`]) and of a source's word on them ([`source_state`]); what
//! they amount to as exports ([`derive`] makes a
//! [`local::LocalView`]); and the data plane that follows from those and the federation's catalogue ([`plan`] makes a
//! [`desired::Desired`]: DNS table, ingress routes, egress with its failover order).
//!
//! Must never: read a clock, draw a random number, do I/O, know an async runtime, or let the order in which objects
//! were read reach a result. The same input gives the same plan in every process.
//!
//! On Kubernetes also the objects that the cluster should hold for its imports and exports ([`mcs`]), and the ports at
//! which gateways listen for imports ([`egress_ports`]).
//!
//! What is asked again and again has a form with a memory, which gives the same ([`Deriver`], [`Planner`]).
//!
//! Reading order: [`objects`] → [`derive`] → [`local`] → [`plan`] → [`desired`] → [`mcs`]. [`app_protocol`] and [`vip_view`] are
//! the two small rules that the plan leans on.
//!
//! Tests: tables beside each module; golden files in `tests/` (YAML in, text out, written for a reader);
//! laws over random catalogues in `tests/laws.rs`.

pub mod app_protocol;
pub mod derive;
pub mod desired;
pub mod egress_ports;
pub mod local;
pub mod mcs;
pub mod objects;
pub mod plan;
pub mod source_state;
pub mod vip_view;

pub use derive::{ClusterFacts, Deriver, derive};
pub use desired::Desired;
pub use egress_ports::{EgressPorts, PortRange};
pub use local::LocalView;
pub use objects::LocalObjects;
pub use plan::{PlanConfig, Planner, plan};
pub use source_state::SourceState;
pub use vip_view::VipView;

#[cfg(test)]
mod tests;
