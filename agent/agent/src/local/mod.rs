//! What belongs to this agent alone: its data directory, the CA of its cluster's trust domain, what it tells
//! operators.
//!
//! Reading order: [`data_dir`] → [`papers`] and [`mirror`] (what outlives the directory) → [`authority`] and
//! [`own_identity`] → [`egress_ports`] → [`status`] with [`cluster_status`] → [`metrics`] with
//! [`cluster_metrics`].

pub mod authority;
pub mod cluster_metrics;
pub mod cluster_status;
pub mod data_dir;
pub mod egress_ports;
pub mod metrics;
pub mod mirror;
pub mod own_identity;
pub mod papers;
pub mod status;

pub use data_dir::{DataDir, DataDirError};
