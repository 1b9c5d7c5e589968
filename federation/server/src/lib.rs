//! `isthmus-server`: one of the federation's servers.
//!
//! Owns: the gRPC services that agents and operators call, who may call what, the clusterset's certificates, and the
//! put-together of a server out of them and `federation-raft`.
//!
//! Must never: believe a name in a message where the certificate says who speaks; let a cluster write what it does not
//! own or read what it may not import; hold state of its own that the catalogue should hold.
//!
//! Reading order: [`config`] → [`trust`] (the clusterset's CA and our own identity) → [`authz`] (who calls) → [`app`]
//! (built, then run) → [`services`], in the order of an agent's life: `join`, `renew`, `publish`, `watch`, `report`;
//! then `admin` for operators. [`limits`] and [`metrics`] are used by all of them.
//!
//! Tests: beside the modules, and `tests/` runs three servers in one process over real TLS.

pub mod app;
pub mod authz;
pub mod config;
pub mod limits;
pub mod metrics;
pub mod services;
pub mod trust;

pub use app::{App, Listeners};
pub use config::Config;
