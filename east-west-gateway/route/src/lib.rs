//! What the east-west gateway decides, as plain functions of bytes and configuration.
//!
//! Owns: reading a ClientHello, the name in its SNI, the decision of what to do with a connection, who may call
//! what, and the order in which targets are tried.
//!
//! Must never: open a socket, read a clock, draw a random number, know an async runtime, or panic on any input. A
//! random number, where one is needed, comes in as a value. Everything here works on bytes that an unauthenticated
//! stranger sent.
//!
//! Reading order, which is that of a connection: [`client_hello`] (bytes to a hello) → [`sni`] (its name to a
//! service port) → [`decide`] (relay, terminate or refuse; then whether the caller may) → [`pick`] (which endpoint
//! or target first). [`refusal`] holds every reason for which one of these says no.
//!
//! Tests: beside each module; `tests/hello_laws.rs` holds the properties of the parser (any split of the bytes gives
//! the same answer, no input panics) and reads hellos that a real rustls client wrote.

pub mod client_hello;
mod cursor;
pub mod decide;
pub mod pick;
pub mod refusal;
pub mod sni;

pub use client_hello::{ClientHello, HelloError, HelloParser, Progress};
pub use decide::{Decision, Route, authorize, decide};
pub use refusal::RefusalReason;
