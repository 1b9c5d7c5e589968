//! The agent's way to its cluster's API server.
//!
//! Owns: the connection ([`connect`]), the watches and what they amount to ([`source`]), the writes of the MCS
//! controller, the agent's own Secret and ConfigMap, the review of gateways' tokens, CoreDNS's stub zone, and the one
//! table of the rules that all of this needs ([`permissions`]).
//!
//! Must never: decide what should be (that is `agent_plan::mcs`, which is pure), write an object that does not carry our
//! label, hold back reads or writes by a client-side rate limit, put a secret into a log, an error or a metric, or be
//! known to any crate but `agent-agent` and the end-to-end tests. No other crate of the agent names kube.
//!
//! Reading order: [`connect`] → [`permissions`] → [`source`] → the writers.
//!
//! Tests: tables beside each module; `tests/` runs the source against a fake API server that misbehaves on demand;
//! stories on a real kube-apiserver are in `multi-cluster-e2e`.

mod call;

pub mod apply;
pub mod config_map;
pub mod connect;
pub mod coredns;
pub mod permissions;
pub mod secrets;
pub mod source;
pub mod tokens;

pub use kube::Client;
