//! Who writes and who watches.
//!
//! Each cluster has a set of objects that its writers change ([`objects`]) and an agent that publishes them and
//! watches ([`agent`]): the real client library, which is killed and replaced now and then. Beside it a bare stream
//! ([`bare_watch`]) notes every single message of a watch, and an operator reads whole catalogues ([`operator`]).

pub mod agent;
pub mod bare_watch;
pub mod member;
pub mod objects;
pub mod operator;
mod view_notes;
pub mod writer;
