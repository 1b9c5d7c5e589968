//! The sockets under tonic. Accepting: a stream of connections for `serve_with_incoming_shutdown`, each with facts
//! about the peer in the extensions of its requests. Dialling: lazy channels that reconnect by themselves.
//!
//! Reading order: `address` (where local sockets are), `accept` (what all listeners share), `tls_incoming` and
//! `tls_peer` (mTLS between machines), `unix_incoming` and `local` (between processes of one machine),
//! `connect` (channels), `host_port` (what may be dialled).

mod accept;
mod address;
mod connect;
mod handshake_metrics;
mod host_port;
mod local;
#[cfg(test)]
mod tests;
mod tls_incoming;
mod tls_peer;
mod unix_incoming;

pub use address::{AddressError, LocalAddr};
pub use connect::{Dial, connect_local, connect_tls, connect_tls_with, connect_unix};
pub use handshake_metrics::{HandshakeFailure, HandshakeMetrics};
pub use host_port::{MAX_HOST_PORT, is_host_port};
pub use local::{LocalConnection, LocalIncoming, LocalPeer};
pub use tls_incoming::{HANDSHAKE_TIMEOUT, MAX_HANDSHAKES, TlsIncoming};
pub use tls_peer::{TlsConnection, TlsPeer};
pub use unix_incoming::{UnixIncoming, bind_unix};
