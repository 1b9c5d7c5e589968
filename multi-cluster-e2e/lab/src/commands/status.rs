//! `status`: what runs where.

use std::process::ExitCode;

use multi_cluster_e2e_lab::state::LabState;
use multi_cluster_e2e_lab::{control, overview};

use super::{Output, Which, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// How it is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    which: Which,
}

/// Runs the verb. Exit code 1 if the lab has ended.
pub(crate) async fn run(status: &Status) -> anyhow::Result<ExitCode> {
    let dir = &status.which.dir;
    let alive = control::is_alive(dir).await;
    let state = LabState::read(dir)?;
    match status.output {
        Output::Json => {
            print(&serde_json::to_string(&serde_json::json!({ "running": alive, "lab": state }))?)?
        }
        Output::Table if alive => print(&overview::text(&state, &overview::this_program()))?,
        Output::Table => {
            let dir = dir.display();
            print(&format!("The lab in {dir} has ended. Start it again: isthmus-lab up --dir {dir}"))?;
        }
    }
    Ok(if alive { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
