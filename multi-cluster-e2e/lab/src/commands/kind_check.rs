//! `kind-check`: the tour of the kind lab.

use std::path::PathBuf;
use std::process::ExitCode;

use multi_cluster_e2e_lab::{check::Report, kind};

use super::{Output, print, progress};

#[derive(Debug, clap::Args)]
pub(crate) struct KindCheck {
    /// A line for each step: for people, or as JSON.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Where deploy/kind/up.sh keeps the lab's state.
    #[arg(long, value_name = "DIR", default_value = ".kind")]
    state: PathBuf,
}

/// Runs the verb. Exit code 1 at the first step that fails.
pub(crate) async fn run(check: &KindCheck) -> anyhow::Result<ExitCode> {
    let signal = federation_kit::signal::shutdown()?;
    let tell = |report: &Report| match check.output {
        Output::Json => print(&serde_json::to_string(report)?),
        Output::Table => print(&report.to_string()),
    };
    let passed = tokio::select! {
        passed = kind::run(&check.state, tell) => passed?,
        _ = signal => {
            progress("interrupted; the lab may be left in the middle of a step");
            return Ok(ExitCode::from(130));
        }
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
