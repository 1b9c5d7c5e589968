//! Real processes: how they are started, stopped, watched and never left behind.
//!
//! Each child is the leader of a process group of its own, so that Ctrl-C in a terminal reaches only the lab, which
//! then stops them in order. The [`warden`] ends them if the lab itself is killed.

mod child;
pub mod proc_stat;
mod supervisor;
pub mod warden;

pub use child::{ProcessSpec, Status};
pub use supervisor::Supervisor;
