//! Real federation servers under load and under attack: killed, stopped, cut off from each other and slowed down at
//! random, while clients publish and watch. Everything that a client is told is recorded and then checked.
//!
//! Owns: the faults and their plan, the network between the servers, the clients that record, and the rounds.
//!
//! Must never: judge what was recorded (that is `multi-cluster-e2e/history`), look inside a server, or leave a process
//! or a file behind.
//!
//! Reading order: [`fault`] (pure: what is done, by seed) → [`network`] (what the servers talk through) → [`servers`] →
//! [`recorder`] and [`clients`] (who writes, watches and takes notes) → [`federation`] (all of it together) → [`round`]
//! → [`outcome`].
//!
//! Tests: the plan, the network and the parsing of `/proc` beside themselves; whole rounds, and the federation under a
//! rolling restart, in `multi-cluster-e2e/scenarios/tests/stories/torture.rs`.

pub mod clients;
pub mod fault;
pub mod federation;
pub mod network;
pub mod outcome;
pub mod recorder;
pub mod round;
pub mod servers;
