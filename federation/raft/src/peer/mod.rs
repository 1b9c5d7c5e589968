//! Servers talking to each other: `isthmus.raft.v1` over mTLS on a port of its own.
//!
//! Both ends show a server certificate of the clusterset; the dialler also insists on the very server it dials.

pub(crate) mod client;
pub(crate) mod listener;
pub(crate) mod pool;
pub(crate) mod server;
pub(crate) mod silence;
pub(crate) mod transport;
pub(crate) mod wire;

/// Largest message between servers, in bytes. More than between agents and servers: an entry holds a whole batch, and
/// MessagePack with field names is larger than protobuf.
pub(crate) const MAX_PEER_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
