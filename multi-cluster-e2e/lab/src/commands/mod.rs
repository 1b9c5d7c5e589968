//! The command line: one file per verb.

mod backend;
mod check;
mod completions;
mod curl;
mod dig;
mod down;
mod kind_check;
mod logs;
mod process;
mod status;
mod supervise;
mod up;
mod warden;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

/// A whole clusterset on one machine, as real processes with real certificates. No Docker, Kubernetes or root.
#[derive(Debug, Parser)]
#[command(name = "isthmus-lab", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  isthmus-lab up                          three servers; clusters east, west and south; Ctrl-C ends all
  isthmus-lab up --detach --dir my-lab    in the background; my-lab/ keeps the YAML and the logs
  isthmus-lab curl east http://echo.demo.svc.clusterset.local:8080/
  isthmus-lab dig east peers.demo.svc.clusterset.local A
  isthmus-lab stop server-1 --hard        kill -9; `start server-1` brings it back
  isthmus-lab check                       the scripted tour, on a lab of its own

Exit codes: 0 done; 1 it failed, or a step of `check` did; 2 the command line is wrong.";

/// Which lab.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Which {
    /// The lab's directory.
    #[arg(long, value_name = "DIR", env = "ISTHMUS_LAB_DIR", default_value = up::DEFAULT_DIR)]
    dir: PathBuf,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start a lab and keep it until Ctrl-C (or, with --detach, until `down`).
    Up(up::Up),
    /// End a lab that runs elsewhere.
    Down(Which),
    /// What runs where.
    Status(status::Status),
    /// What a process has written.
    Logs(logs::Logs),
    /// End one process.
    Stop(process::Stop),
    /// Start one process again.
    Start(process::Start),
    /// Call a URL as a pod of a cluster: resolved by that cluster's DNS server.
    Curl(curl::Curl),
    /// Ask a cluster's DNS server.
    Dig(dig::Dig),
    /// The scripted tour: every promise, tried on a lab of its own.
    Check(check::Check),
    /// The tour of a kind lab, in real pods; deploy/kind/up.sh makes one.
    KindCheck(kind_check::KindCheck),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// A sample HTTP server.
    #[command(hide = true)]
    Backend(backend::Backend),
    /// The process behind `up --detach`.
    #[command(hide = true)]
    Supervise(up::Request),
    /// The process that cleans up after a lab that was killed.
    #[command(hide = true)]
    Warden,
}

/// Runs one verb.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if matches!(arguments.verb, Verb::Warden) {
        warden::run();
        return Ok(ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(dispatch(arguments.verb));
    // A blocking read of a terminal or a pipe must not hold the exit up.
    runtime.shutdown_background();
    done
}

async fn dispatch(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Up(up) => up::run(up).await,
        Verb::Down(which) => down::run(&which).await,
        Verb::Status(status) => status::run(&status).await,
        Verb::Logs(logs) => logs::run(&logs).await,
        Verb::Stop(stop) => process::stop(stop).await,
        Verb::Start(start) => process::start(start).await,
        Verb::Curl(curl) => curl::run(&curl).await,
        Verb::Dig(dig) => dig::run(&dig).await,
        Verb::Check(check) => check::run(&check).await,
        Verb::KindCheck(check) => kind_check::run(&check).await,
        Verb::Completions(completions) => completions::run(&completions),
        Verb::Backend(backend) => backend::run(backend).await,
        Verb::Supervise(request) => supervise::run(request).await,
        Verb::Warden => Ok(ExitCode::SUCCESS),
    }
}

/// Prints to standard output. A reader that has gone away (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line of progress on standard error.
fn progress(line: &str) {
    // Whoever started the lab may have closed the terminal; the lab goes on.
    let _ = writeln!(std::io::stderr(), "isthmus-lab: {line}");
}
