//! Whole gateways in process, over real sockets and real TLS. Only the agent is a stand-in: it is another crate's
//! program, and here it is told what to say.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test says no")]

mod backends;
mod clients;
mod egress;
mod fake_agent;
mod ingress;
mod listen_ports;
mod pod;
mod refusals;
mod source;
mod world;
