//! The controller against the fake API server. Time is paused: waiting costs nothing, and is measured exactly.

mod failures;
mod laws;
mod rig;
mod steady;
pub(crate) mod world;
