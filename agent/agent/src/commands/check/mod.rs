//! `isthmus-agent check`: whether an agent with this configuration can work here. Looks, and changes nothing.

mod report;
mod source;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use agent_kubernetes::connect::{ClientOptions, connect, probe};
use clap::{Args, ValueEnum};
use federation_kit::exit::chain;

use self::report::Report;
use super::{PROBLEMS, UNKNOWN};
use crate::config::Config;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  isthmus-agent check --config agent.toml
  isthmus-agent check --config agent.toml -o json | jq -c 'select(.ok | not)'

Exit codes: 0 all is well, 1 something is missing, 2 it cannot be found out")]
pub(super) struct CheckArgs {
    /// The agent's configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// How to print it: a line for people, or a JSON object a line
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs: `{"step", "ok", "observed"}`.
    Json,
}

pub(super) async fn run(args: &CheckArgs) -> ExitCode {
    let mut report = Report::new(args.output);
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            report.step("configuration", false, chain(&error).to_string());
            return ExitCode::from(UNKNOWN);
        }
    };
    report.step("configuration", true, format!("{} is valid", args.config.display()));
    if let Some(kubernetes) = config.kubernetes() {
        let options =
            ClientOptions { kubeconfig: kubernetes.kubeconfig.clone(), context: kubernetes.context.clone() };
        let client = match connect(&options).await {
            Ok(client) => client,
            Err(error) => {
                report.step("api server", false, chain(&error).to_string());
                return ExitCode::from(UNKNOWN);
            }
        };
        match probe(&client).await {
            Ok(version) => report.step("api server", true, version),
            Err(trouble) => {
                report.step("api server", false, trouble.to_string());
                return ExitCode::from(UNKNOWN);
            }
        }
        steps::permissions(&client, kubernetes, &mut report).await;
        source::kubernetes(&client, kubernetes, &mut report).await;
        steps::papers(&client, &config, kubernetes, &mut report).await;
    } else {
        source::files(&config, &mut report).await;
    }
    steps::servers(&config, &mut report).await;
    if report.all_well() { ExitCode::SUCCESS } else { ExitCode::from(PROBLEMS) }
}
