//! What this cluster's API server should hold: the objects of KEP-1645 (multi-cluster Services) and KEP-2149 (About),
//! and the derived Services through which pods without a proxy reach an import.
//!
//! Everything is judged in the terms of [`content`]: only what this controller says, in one form, so that what is
//! observed and what is desired can be compared without the defaults and the bookkeeping of the API server.
//!
//! Reading order: [`content`] (the nouns) → [`input`] (what is known) → `desired` (what should be) → [`observed`] (what
//! is) → [`action`] (what to do about it).

pub mod action;
pub mod content;
pub mod input;
pub mod observed;

pub use action::Action;
pub use input::Input;
pub use observed::Observed;
