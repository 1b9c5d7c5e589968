//! The controller's core as a whole: golden files and laws, on a small API server in memory.

pub(crate) mod api;
mod golden;
mod laws;
pub(crate) mod world;
