//! A whole clusterset on one machine: federation servers, agents, gateways, sample backends and, if wanted, Envoys, all
//! as real processes with real certificates. The library is what the program `isthmus-lab`, the scenarios and the
//! benchmarks share.
//!
//! Owns: where everything stands, the files that the daemons are started with, the processes' lives, and clients that
//! look at the result from outside.
//!
//! Must never: leave a process or a file behind that the user did not ask to keep, listen anywhere but on loopback, or
//! reach into a daemon other than over its sockets.
//!
//! Reading order: [`topology`] and [`samples`] → [`ports`], [`loopback`] and [`plan`] (deciding where) → [`layout`] and
//! [`binaries`] (files) → [`render`] and [`ca`] (what is written) → [`process`] (what runs) → [`launch`] and [`lab`]
//! (bringing it up) → [`state`], [`control`] and [`overview`] (talking about it) → [`backend`], [`client`], [`admin`],
//! [`observe`] and [`wait`] (using it) → [`mod@envoy`] → [`check`] (the tour) → [`kind`] (the tour of a lab of
//! real clusters).
//!
//! Tests: beside each module; with all processes, in `multi-cluster-e2e/scenarios`.

pub mod admin;
pub mod backend;
pub mod binaries;
pub mod ca;
pub mod cache;
pub mod check;
pub mod client;
pub mod control;
pub mod envoy;
pub mod kind;
pub mod lab;
pub mod launch;
pub mod layout;
pub mod loopback;
pub mod observe;
pub mod overview;
pub mod plan;
pub mod ports;
pub mod process;
pub mod render;
pub mod samples;
pub mod state;
pub mod topology;
pub mod wait;
