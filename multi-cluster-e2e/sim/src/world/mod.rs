//! The world that servers and agents run in: disks, a network, and servers that crash.

pub mod disk;
pub mod net;
pub mod pipe;
mod sectors;
pub mod server;
