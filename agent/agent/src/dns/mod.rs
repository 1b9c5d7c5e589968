//! Names of the clusterset: `clusterset.local` from the plan's table, every other name from the configured upstreams.
//!
//! Owns: the answers of KEP-1645's DNS specification (schema 1.0.0), the sockets (UDP and TCP), forwarding, and the
//! counters of both.
//!
//! Must never: answer for `clusterset.local` from anything but the table (such a name is never forwarded), or say
//! "does not exist" before there is a table: until then the answer is SERVFAIL, which clients retry.
//!
//! Reading order: [`name`] (what is asked) → [`answer`] (what is true; pure) → [`record`] (how it is written) →
//! [`table`] (where the truth is swapped) → [`wire`] (from packet to packet) → [`forward`] → [`server`] → [`metrics`].
//!
//! hickory does the wire format and the upstream side. The socket loops are our own: hickory's server answers
//! undecodable packets by itself, so that they could not be counted, and bounds neither tasks nor connections.
//!
//! Tests: `answer/tests.rs` is a table of questions; `tests/dns_server.rs` asks over real sockets, forwards to a real
//! second server and throws random bytes.

pub mod answer;
pub mod forward;
pub mod metrics;
pub mod name;
pub mod record;
pub mod server;
pub mod table;
pub mod wire;

pub use server::{DnsError, DnsOptions, DnsServer};
pub use table::SharedTable;
