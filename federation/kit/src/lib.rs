//! Process kit shared by the daemons: everything a long-running program needs before it does its own work.
//!
//! Owns: start-up and shut-down of a process, its command line, configuration file, logs, exit code, admin
//! endpoint, and the sockets under gRPC (TLS and Unix). Must never: know what a cluster, a SPIFFE id or a
//! service is, decide whom to trust (TLS configurations are handed in), or depend on another crate of the
//! workspace. Tests sit beside the code, in `tests.rs` files where they are long.
//!
//! Modules in reading order:
//! - [`daemon`]: the life of a process, start to exit code; a daemon's `main.rs` is a [`daemon::Daemon`] value.
//! - [`exit`]: exit codes, and errors that carry one. [`config`]: TOML files with errors that name the place.
//! - [`telemetry`], [`build_info`], [`signal`]: logs, version, SIGTERM.
//! - [`drain`], [`tasks`], [`readiness`]: how work is stopped, owned and reported ready.
//! - [`admin`]: `/livez /readyz /metrics /config` and JSON pages.
//! - [`grpc`]: accept loops and channels for tonic. [`bind`]: listening sockets with errors for people.
//! - [`backoff`], [`files`], [`testing`]: retry delays, atomic files, waiting for a condition in tests.

pub mod admin;
pub mod backoff;
pub mod bind;
pub mod build_info;
pub mod config;
pub mod daemon;
pub mod drain;
pub mod exit;
pub mod files;
pub mod grpc;
pub mod readiness;
pub mod signal;
pub mod tasks;
pub mod telemetry;
pub mod testing;
