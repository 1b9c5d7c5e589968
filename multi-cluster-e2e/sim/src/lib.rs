//! The federation, simulated: servers, their disks, the network and the agents of some clusters on one thread with a
//! clock that nobody waits for. Everything follows from a seed, so that whatever goes wrong goes wrong again.
//!
//! Real is what matters: the state machine (`federation-model`), openraft, the log, the gates, snapshots and group commit
//! (`federation-raft`), the services and authorisation of a server (`federation-server`), the agent's client with its
//! publisher, watcher and reporter (`federation-client`), and gRPC over HTTP/2 between the two. Simulated are the disk
//! under the storage engine, the network, the clocks, and chance. Left out: sled itself, TLS (certificates are checked,
//! handshakes are not made), Raft's gRPC messages (their payloads travel as they are), and the programs around it.
//!
//! Reading order: [`plan`] (a seed becomes a run) → [`run`] → [`scene`] (who takes part) → [`faults`], [`members`] and [`workload`] →
//! [`oracle`] and [`invariants`] (what must hold). Below: [`world`] (disk, network, servers), [`agent`], [`papers`]; and
//! [`nature`], which makes the process draw its chance and its date from the seed. [`bugs`] can be planted, to see
//! that each is found.
//!
//! Tests: `tests/seeds.rs` runs seeds, compares the traces of two runs, and plants every bug. `make sim` runs more.

pub mod agent;
pub mod bugs;
pub mod chance;
pub mod faults;
pub mod invariants;
pub mod members;
pub mod nature;
pub mod oracle;
pub mod papers;
pub mod plan;
pub mod run;
pub mod scene;
pub mod trace;
pub mod workload;
pub mod world;
