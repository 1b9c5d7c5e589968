//! This agent's place in the federation: becoming a member, staying one over restarts, and what it publishes.
//!
//! The talking itself is `federation-client`'s. Reading order: [`membership`] (what is kept on disk) → [`joining`] →
//! [`published`] (what the federation is told).

pub mod joining;
pub mod membership;
pub mod published;

pub use membership::Membership;
