//! What a server keeps: the vote, the log and the last snapshot on disk, the catalogue in memory.
//!
//! The rules that openraft sets for a store (`RaftLogStorage`, "To ensure correctness") are upheld here: the vote and
//! the entries of an append are on disk before they are acknowledged, the log has no holes, and writes happen in order.
//! sled is named in `engine/sled.rs` only.

pub(crate) mod catalogue;
pub(crate) mod codec;
pub(crate) mod db;
pub(crate) mod durable;
pub(crate) mod engine;
pub(crate) mod error;
mod flush;
pub(crate) mod identity;
pub(crate) mod log;
pub(crate) mod machine;
mod mark;
pub(crate) mod open;
mod recent;
pub(crate) mod restore;
mod snapshot;

#[cfg(test)]
mod tests;
