//! What the agent offers on its local socket: the control service of the gateways, and xDS for the Envoys.
//!
//! Owns: the configuration that both are told ([`config`]), the identities that both are given ([`issue`]), the
//! gateways' service and status, and the listener under all of it.
//!
//! Must never: hand out an identity of another trust domain, see a gateway's private key, or let a gateway name itself
//! anything but `spiffe://<trust domain>/isthmus/gateway`. Whoever may open the socket is believed to be a gateway or a
//! proxy of this cluster: the socket's mode is the authorisation.
//!
//! Reading order: [`config`] → [`issue`] → [`gateways`] (status) → [`service`] → [`listener`].
//!
//! Tests: `tests/control_service.rs`, over a real Unix socket.

pub mod config;
pub mod gateways;
pub mod issue;
pub mod listener;
pub mod service;

pub use config::{ConfigReceiver, ConfigSender};
pub use gateways::{GatewayStatus, Gateways};
pub use issue::{IssueError, IssueIdentity, LocalAuthority};
pub use listener::{LocalApi, LocalApiError};
