//! The wire: the protos, the code generated from them, and the conversions between wire and model.
//!
//! Owns: `proto/**`, the generated clients and servers, [`MAX_MESSAGE_BYTES`], and the rule that whatever comes off a
//! wire becomes a `federation-model` value by one `TryFrom` that checks every bound, or a named error.
//!
//! Must never: open a socket, decide who may do what, or let a value past a conversion that the model's types promise
//! cannot exist.
//!
//! Reading order: [`federation`] (agents and operators to servers) → [`raft`] (server to server) → [`gateway`]
//! (agent to its cluster's gateways) → [`convert`] → [`content_hash`].
//!
//! Tests: `tests/generated.rs` regenerates `src/gen` and compares; `tests/round_trip.rs` holds that model values survive
//! the wire, and `tests/hostile.rs` that nothing on the wire makes a conversion panic or break a bound.

/// Largest message between clusters and servers that any client or server sends or accepts, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// The key of the reason in the metadata of a refusal: a closed word, for programs.
pub const REASON: &str = "isthmus-reason";
/// Largest message between an agent and its own cluster's gateways, in bytes: a gateway's configuration is one message,
/// so that it is replaced whole, and it grows with the number of endpoints.
pub const MAX_LOCAL_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

pub mod content_hash;
pub mod convert;

/// `isthmus.federation.v1`: what agents and operators say to the federation's servers.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    clippy::all,
    clippy::use_self,
    clippy::or_fun_call,
    reason = "generated from proto/isthmus/federation/v1 by tests/generated.rs"
)]
pub mod federation {
    include!("gen/isthmus.federation.v1.rs");
}

/// `isthmus.raft.v1`: what servers say to each other.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    clippy::all,
    clippy::use_self,
    clippy::or_fun_call,
    reason = "generated from proto/isthmus/raft/v1 by tests/generated.rs"
)]
pub mod raft {
    include!("gen/isthmus.raft.v1.rs");
}

/// `isthmus.gateway.v1`: what an agent and its cluster's gateways say to each other.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    missing_debug_implementations,
    clippy::all,
    clippy::use_self,
    clippy::or_fun_call,
    reason = "generated from proto/isthmus/gateway/v1 by tests/generated.rs"
)]
pub mod gateway {
    include!("gen/isthmus.gateway.v1.rs");
}
