//! `down`: ends a lab that runs elsewhere.

use std::process::ExitCode;

use multi_cluster_e2e_lab::control::{self, Request};

use super::{Which, progress};

/// Runs the verb.
pub(crate) async fn run(which: &Which) -> anyhow::Result<ExitCode> {
    progress(&control::ask(&which.dir, &Request::Down).await?);
    Ok(ExitCode::SUCCESS)
}
