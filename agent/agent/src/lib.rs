//! The agent of one cluster: publishes what the cluster exports, watches what it may import, and programs what is
//! local: gateways, Envoys, DNS.
//!
//! Owns: reading the cluster's objects; the conversation with the federation, through `federation-client`; the plan's
//! being in force; the CA of the cluster's own trust domain; the local DNS, xDS and gateway control services.
//!
//! Must never: read another cluster's objects, decide what an import means (`agent-plan` does), see a gateway's
//! private key, or stop serving because a server, a gateway or the source is gone.
//!
//! Reading order: [`config`] → [`commands`] (besides the daemon) → [`app`] (what runs) → [`source`] (objects in) → [`upstream`] (membership, and what the
//! federation is told) → [`dns`], [`xds`] and [`control`] (what is served locally) → [`local`] (disk, authority, status).
//!
//! Tests: beside each module; `tests/dns_server.rs`, `tests/xds_server.rs`, `tests/xds_envoy.rs` and
//! `tests/control_service.rs` over real sockets; `tests/agent_app.rs` runs a whole agent.

pub mod app;
pub mod commands;
pub mod config;
pub mod control;
pub mod dns;
pub mod local;
pub mod source;
pub mod upstream;
pub mod xds;
