//! `completions`: a script that completes this program's command line.

use std::process::ExitCode;

use clap::CommandFactory;

use super::{Arguments, print};

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// For which shell.
    shell: clap_complete::Shell,
}

/// Runs the verb.
pub(crate) fn run(completions: &Completions) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Arguments::command(), "isthmus-lab", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}
