//! What belongs to this agent alone: its data directory, the CA of its cluster's trust domain, what it tells
//! operators.
//!
//! Reading order: [`data_dir`] → [`authority`] → [`status`] → [`metrics`].

pub mod authority;
pub mod data_dir;
pub mod metrics;
pub mod status;

pub use data_dir::{DataDir, DataDirError};
