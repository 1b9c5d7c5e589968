//! The source, as others use it, against a fake API server on a port of its own.
//!
//! Reading order: [`fake_api`] (what it serves and how it misbehaves) → [`support`] (a running source) → [`faults`] →
//! [`start`].

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod fake_api;
mod faults;
mod start;
mod support;
