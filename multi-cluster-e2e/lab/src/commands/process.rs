//! `stop` and `start`: one process of a lab that runs elsewhere.

use std::process::ExitCode;

use multi_cluster_e2e_lab::control::{self, Request};

use super::{Which, progress};

#[derive(Debug, clap::Args)]
pub(crate) struct Stop {
    /// Its name, as `status` shows it: server-1, east-agent, west-gateway, west-echo-1.
    name: String,
    /// By kill -9, with no time to say farewell.
    #[arg(long)]
    hard: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Start {
    /// Its name, as `status` shows it.
    name: String,
    #[command(flatten)]
    which: Which,
}

/// Runs `stop`.
pub(crate) async fn stop(stop: Stop) -> anyhow::Result<ExitCode> {
    let Stop { name, hard, which } = stop;
    progress(&control::ask(&which.dir, &Request::Stop { name, hard }).await?);
    Ok(ExitCode::SUCCESS)
}

/// Runs `start`.
pub(crate) async fn start(start: Start) -> anyhow::Result<ExitCode> {
    let Start { name, which } = start;
    progress(&control::ask(&which.dir, &Request::Start { name }).await?);
    Ok(ExitCode::SUCCESS)
}
