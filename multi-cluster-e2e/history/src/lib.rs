//! What clients of a federation said and saw, and whether that can be: histories and their checker.
//!
//! Owns: the events of a history, its form as text, and the properties that every history of a correct federation has.
//!
//! Must never: have a runtime, a clock, randomness or I/O. Whoever records decides the order of events; here a history
//! is a value and its violations are another.
//!
//! Reading order: [`event`] and [`history`] (what is recorded) → [`writes`] and [`sights`] (the same, by slot and by
//! watcher) → [`properties`] (one file each) → [`violation`] → [`mod@check`].
//!
//! Tests: each property beside itself, with a good history and planted violations; `tests/legal_histories.rs` has a
//! small model of a federation whose histories must all pass, and breaks them.

pub mod check;
pub mod event;
pub mod history;
pub mod properties;
pub mod sights;
#[cfg(test)]
mod testing;
pub mod violation;
pub mod writes;

pub use check::{Counts, Report, check};
pub use event::{Event, Piece, PieceName, Slot, Viewer, WatcherName, Wish, WriteId};
pub use history::{History, Unreadable};
pub use violation::Violation;
