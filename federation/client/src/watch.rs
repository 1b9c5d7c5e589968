//! Hearing what this cluster may see of the federation.
//!
//! The assembler turns messages into whole views, without I/O; the watcher keeps a stream open to some server and
//! publishes each whole view.

mod assembler;
mod together;
mod upstream;
mod watcher;

pub use upstream::Upstream;
pub(crate) use watcher::Watcher;
