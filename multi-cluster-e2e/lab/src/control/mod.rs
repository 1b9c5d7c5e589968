//! How a command reaches a lab that runs elsewhere: one JSON line each way over a Unix socket that only its owner may
//! open.

mod client;
mod server;

use serde::{Deserialize, Serialize};

pub use client::{ask, is_alive};
pub use server::ControlServer;

/// The longest line, in bytes.
const MAX_LINE: u64 = 4 * 1024;

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ask")]
pub enum Request {
    /// Is anybody there?
    Ping,
    /// End one process.
    Stop {
        /// Which.
        name: String,
        /// By SIGKILL at once.
        hard: bool,
    },
    /// Start one process again.
    Start {
        /// Which.
        name: String,
    },
    /// End the whole lab. Answered when nothing runs any more.
    Down,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done; in words.
    Done(String),
    /// Not done; why.
    Failed(String),
}
