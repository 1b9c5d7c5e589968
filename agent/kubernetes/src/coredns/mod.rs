//! CoreDNS's stub zone: the names of `clusterset.local` are asked of the agent.
//!
//! Owns: the block, its place in a Corefile, and the ConfigMap and Deployment of CoreDNS. Must never: change anything
//! else in a Corefile, or guess what somebody meant who has a `clusterset.local` of their own in it.
//!
//! Reading order: [`block`] → [`corefile`] (reads) → [`edit`] (writes) → [`cluster`].
//!
//! Tests: golden files in `tests/golden/coredns` (a Corefile before and after), laws in `tests.rs`, the cluster's side
//! against the fake API server of `apply`; a real CoreDNS in `multi-cluster-e2e`.

mod block;
mod cluster;
mod corefile;
mod edit;

#[cfg(test)]
mod tests;

pub use block::{stub_zone, stub_zone_on};
pub use cluster::{Change, CoreDnsError, Edited, Restart, Roll, apply, remove};
pub use corefile::{has_reload, port};
pub use edit::{CorefileError, with_block, without_block};
