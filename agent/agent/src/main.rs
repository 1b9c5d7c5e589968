//! The binary: configuration in, a running agent out. See the library for what it does.

use std::process::ExitCode;

use agent_agent::app::{self, EXAMPLES};
use agent_agent::commands;
use agent_agent::config::Config;
use federation_kit::daemon::Daemon;

/// Connections, messages and views are made on one thread and dropped on another, which glibc's allocator takes locks for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENT: Daemon = Daemon {
    name: "isthmus-agent",
    about: "The agent of one cluster: publishes what it exports, programs what it imports",
    examples: EXAMPLES,
};

fn main() -> ExitCode {
    commands::of_process().unwrap_or_else(|| AGENT.run(Config::load, app::start))
}
