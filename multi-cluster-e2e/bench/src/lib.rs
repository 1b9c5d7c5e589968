//! Benchmarks of the whole, on labs of their own, with real processes.
//!
//! Owns: what is measured and how, the format of the result lines, and the description of the machine.
//!
//! Must never: count a failed request as a fast one, or leave a peer that is not installed unmentioned.
//!
//! Reading order: [`machine`] → [`samples`] → [`line`] → [`probe`] → [`propagation`], [`kubernetes`]
//! (the same from API server to API server), [`raft`], [`scale`], [`trust`] and [`idle`].
//!
//! Tests: of the arithmetic and the format, beside the modules.

pub mod idle;
pub mod kubernetes;
pub mod line;
pub mod machine;
pub mod probe;
pub mod propagation;
pub mod raft;
pub mod samples;
pub mod scale;
mod servers;
pub mod trust;
