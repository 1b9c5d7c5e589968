//! What the Envoys of this cluster are told: clusters, endpoints, listeners, routes and secrets, by ADS.
//!
//! Owns: the resources made from the plan's gateway configuration, the two protocols (delta and state of the world),
//! who acknowledged what, and the bootstrap text of an Envoy that uses all this.
//!
//! Must never: answer before there is a configuration (an empty answer deletes what a proxy still serves), announce
//! again what did not change, pool the roots of two trust domains, or hand a proxy an identity of another domain.
//!
//! Reading order: [`node`] (who asks) → [`resource`] (what is named and versioned) → [`build`] (configuration to
//! resources; pure) → [`session`] (requests to responses; pure) → [`status`] (who has what) → [`server`] (the streams)
//! → [`bootstrap`] (the other side's configuration).
//!
//! Tests: `build/tests.rs` (snapshots), `session/*/tests.rs` (tables without I/O), `tests/xds_server.rs` (over gRPC) and
//! `tests/xds_envoy.rs` (a real Envoy, both protocols, with a request through it).

pub mod bootstrap;
pub mod build;
mod metrics;
pub mod node;
pub mod resource;
pub mod server;
pub mod session;
pub mod status;

pub use node::{Inbound, NodeInfo, NodeMeta};
pub use resource::{ResourceType, Snapshot};
pub use server::XdsServer;
pub use status::{NodeStatus, XdsStatus};
