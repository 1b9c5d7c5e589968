//! What this cluster's API server should hold: the objects of KEP-1645 (multi-cluster Services) and KEP-2149 (About),
//! and the derived Services through which pods without a proxy reach an import.
//!
//! Everything is judged in the terms of [`content`]: only what this controller says, in one form, so that what is
//! observed and what is desired can be compared without the defaults and the bookkeeping of the API server.
//!
//! Objects are written by server-side apply, which takes away only what the same field manager applied before. So what
//! somebody else added (a label, a condition of another type) is left alone and is no difference; where it would be in
//! the way, [`diff`] says how it is got rid of.
//!
//! Reading order: [`content`] (the nouns), [`names`] and [`metadata`] → [`catalogue`] and [`input`] (what is known) → [`desired`] (what
//! should be) → [`observed`] (what is, by [`crd`] and [`parse`]) → [`diff`] and [`action`] (what to do about it) →
//! [`render`] (as the API server is told) and [`events`] (as people are told).
//!
//! Tests: tables beside each module; `tests/` has golden files (YAML in, actions out), and laws over random starts
//! against a small API server in memory.

pub mod action;
pub mod catalogue;
pub mod content;
pub mod crd;
pub mod desired;
pub mod diff;
pub mod events;
pub mod input;
pub mod metadata;
pub mod names;
pub mod observed;
pub mod parse;
pub mod render;

pub use action::{Action, Object};
pub use catalogue::{Catalogue, CatalogueBuilder, Known};
pub use desired::{Desired, desired};
pub use diff::{Foreign, diff, foreign};
pub use events::{EventContent, events};
pub use input::Input;
pub use observed::Observed;

#[cfg(test)]
pub(crate) mod tests;
