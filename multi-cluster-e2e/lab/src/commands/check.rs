//! `check`: the scripted tour.

use std::process::ExitCode;

use multi_cluster_e2e_lab::check::{self, Report, Tour};
use multi_cluster_e2e_lab::topology::Trust;

use super::{Output, print, progress};

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// A line for each step: for people, or as JSON.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Fail if there is no Envoy, instead of saying so.
    #[arg(long)]
    require_envoy: bool,
    /// Where the clusters' certificate authorities come from.
    #[arg(long, value_enum, default_value_t)]
    trust: Trust,
}

/// Runs the verb. Exit code 1 at the first step that fails.
pub(crate) async fn run(check: &Check) -> anyhow::Result<ExitCode> {
    let signal = federation_kit::signal::shutdown()?;
    let tell = |report: &Report| match check.output {
        Output::Json => print(&serde_json::to_string(report)?),
        Output::Table => print(&report.to_string()),
    };
    let tour = Tour { require_envoy: check.require_envoy, trust: check.trust };
    let passed = tokio::select! {
        passed = check::run(&tour, &progress, tell) => passed?,
        _ = signal => {
            progress("interrupted; ending what was started");
            return Ok(ExitCode::from(130));
        }
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
