//! What `isthmus-agent` does besides being the agent: look whether an agent could work here ([`check`]), and edit the
//! cluster's CoreDNS ([`coredns`]). Without one of their names on the command line the process is the daemon.
//!
//! Exit codes: 0 done or well, 1 not well, 2 it could not be found out, or the command line is wrong.

mod check;
mod coredns;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use federation_kit::build_info;

/// Not well.
const PROBLEMS: u8 = 1;
/// Not found out.
const UNKNOWN: u8 = 2;

#[derive(Debug, Parser)]
#[command(
    name = "isthmus-agent",
    about = "Commands beside the daemon; see `isthmus-agent --help` for the daemon"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether an agent with this configuration can work here, and what is missing
    Check(check::CheckArgs),
    /// Make the cluster's CoreDNS ask the agent for names under clusterset.local
    Coredns(coredns::CoreDnsArgs),
}

/// Runs the command that the command line names; `None` if it names none, so that the process is the daemon.
pub fn of_process() -> Option<ExitCode> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let named = args.get(1).is_some_and(|first| first == "check" || first == "coredns");
    named.then(|| run(args))
}

fn run(args: Vec<OsString>) -> ExitCode {
    let command = CommandLine::command().version(build_info::version());
    let matches = match command.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(shown) => {
            // A closed pipe under `--help` is nobody's problem.
            let _ = shown.print();
            return if shown.use_stderr() { ExitCode::from(UNKNOWN) } else { ExitCode::SUCCESS };
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, line) = match (runtime, CommandLine::from_arg_matches(&matches)) {
        (Ok(runtime), Ok(line)) => (runtime, line),
        (Err(error), _) => return failed(&error),
        (_, Err(error)) => return failed(&error),
    };
    match line.command {
        Command::Check(args) => runtime.block_on(check::run(&args)),
        Command::Coredns(args) => runtime.block_on(coredns::run(&args)),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    eprintln!("isthmus-agent: {}", federation_kit::exit::chain(error));
    ExitCode::from(UNKNOWN)
}
