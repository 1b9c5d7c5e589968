//! What the agent offers on its local socket: the control service of the gateways, and xDS for the Envoys. And over TLS:
//! the control service, for gateways that run in pods and share no socket with the agent.
//!
//! Owns: the configuration that both are told ([`config`]), the identities that both are given ([`issue`]), the
//! gateways' service and status, and the listeners under all of it.
//!
//! Must never: hand out an identity of another trust domain, see a gateway's private key, let a gateway name itself
//! anything but `spiffe://<trust domain>/isthmus/gateway`, or put a token into a log, an error or a metric. Whoever may
//! open the socket is believed to be a gateway or a proxy of this cluster: the socket's mode is the authorisation. Over TLS
//! every call proves itself by the token of a service account; the name that a gateway gives is only a label for people.
//!
//! Reading order: [`config`] → [`issue`] → [`gateways`] (status) → [`service`] → [`review`], [`guard`], [`guarded`] (who
//! may call over TLS) → [`bounded`], [`tls`] → [`listener`].
//!
//! Tests: `tests/control_service.rs`, over a real Unix socket; `tests/control_tls.rs`, over real TLS with a reviewer that
//! is a fake.

pub mod bounded;
pub mod config;
pub mod gateways;
pub mod guard;
pub mod guarded;
pub mod issue;
pub mod listener;
pub mod review;
pub mod service;
pub mod tls;

pub use config::{ConfigReceiver, ConfigSender};
pub use gateways::{GatewayStatus, Gateways};
pub use guard::CallRefusal;
pub use issue::{IssueError, IssueIdentity, LocalAuthority};
pub use listener::{LocalApi, LocalApiError};
pub use review::{ReviewToken, TokenRefused};
pub use tls::{TlsListenError, TlsListener};
