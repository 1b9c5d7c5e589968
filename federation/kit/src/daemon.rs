//! The life of a daemon, so that its `main.rs` can be read as a specification.
//!
//! Command line -> configuration (64 if wrong; `--check-config` stops here) -> logs -> `start`, which binds every
//! listener and spawns every task -> run until SIGTERM, SIGINT or a failed task -> drain -> exit code.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use federation_kit::{config, daemon::{Daemon, Process}, exit::Failure};
//!
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Config {}
//!
//! fn main() -> ExitCode {
//!     Daemon { name: "isthmus-sample", about: "Does nothing, well", examples: "" }
//!         .run(config::load::<Config>, async |_config, _process: &Process| Ok::<(), Failure>(()))
//! }
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::drain::{self, DrainTrigger, DrainWatcher, Drained};
use crate::exit::{Exit, Failure, OrExit};
use crate::readiness::Readiness;
use crate::tasks::Tasks;
use crate::telemetry::{self, LogArgs};
use crate::{build_info, signal};

/// How long tasks may take to end after the drain is over.
const TASK_GRACE: Duration = Duration::from_secs(2);

/// The options of every daemon.
#[derive(Debug, Clone, Args)]
pub struct DaemonArgs {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read the configuration, say whether it is valid, and exit (0 or 64)
    #[arg(long)]
    pub check_config: bool,
    /// How long a drain may take after SIGTERM, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub drain_seconds: u32,
    /// What to log, and how.
    #[command(flatten)]
    pub log: LogArgs,
}

#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    daemon: DaemonArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// What a daemon is called and says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Daemon {
    /// Name of the binary.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Printed after `--help`: command lines that work.
    pub examples: &'static str,
}

/// What a running daemon hands to its parts.
#[derive(Debug)]
pub struct Process {
    /// Name of the binary.
    pub name: &'static str,
    /// Every task of the process. A task that panics or fails ends the process with [`Exit::Internal`].
    pub tasks: Tasks,
    /// Clone it into whatever must finish before the process ends.
    pub drain: DrainWatcher,
    /// What `/readyz` reports.
    pub readiness: Readiness,
}

impl Process {
    /// A process without signals, for tests and for programs that hold several daemons: drain it by the trigger.
    #[must_use]
    pub fn new(name: &'static str) -> (DrainTrigger, Self) {
        let (trigger, drain) = drain::channel();
        (trigger, Self { name, tasks: Tasks::new(), drain, readiness: Readiness::new() })
    }
}

impl Daemon {
    /// Runs the daemon from the command line of the process to its exit code.
    ///
    /// `load` reads the configuration file. `start` binds every listener, spawns every task into
    /// [`Process::tasks`], and returns; it is cancelled by a signal.
    pub fn run<C, E, S>(self, load: impl FnOnce(&Path) -> Result<C, E>, start: S) -> ExitCode
    where
        E: Into<Failure>,
        S: AsyncFnOnce(C, &Process) -> Result<(), Failure>,
    {
        match self.execute(std::env::args_os(), load, start) {
            Ok(()) => Exit::Success.into(),
            Err(failure) => {
                // Plain text on standard error: the cause may be that logging was never set up.
                eprintln!("{}: {failure}", self.name);
                failure.exit().into()
            }
        }
    }

    fn execute<C, E, S>(
        self,
        args: impl IntoIterator<Item = std::ffi::OsString>,
        load: impl FnOnce(&Path) -> Result<C, E>,
        start: S,
    ) -> Result<(), Failure>
    where
        E: Into<Failure>,
        S: AsyncFnOnce(C, &Process) -> Result<(), Failure>,
    {
        let Some(args) = self.parse(args)? else { return Ok(()) };
        let Some(file) = args.config.as_deref() else {
            return Err(Failure::new(Exit::Usage, "--config FILE is needed (see --help)"));
        };
        let config = load(file).map_err(Into::into)?;
        if args.check_config {
            println!("{}: {} is valid", self.name, file.display());
            return Ok(());
        }
        telemetry::init(&args.log).or_exit(Exit::Internal)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().or_exit(Exit::Internal)?;
        let ended =
            runtime.block_on(self.live(config, start, Duration::from_secs(args.drain_seconds.into())));
        // Everything async was drained; a blocking call that is stuck in the kernel must not hold the exit.
        runtime.shutdown_timeout(TASK_GRACE);
        ended
    }

    /// `None` when the command line asked for something that is done by now: help, version, completions.
    fn parse(
        self,
        args: impl IntoIterator<Item = std::ffi::OsString>,
    ) -> Result<Option<DaemonArgs>, Failure> {
        let mut command = CommandLine::command()
            .name(self.name)
            .bin_name(self.name)
            .about(self.about)
            .after_help(self.examples)
            .version(build_info::version());
        let matches = command.clone().try_get_matches_from(args);
        match matches.and_then(|matches| CommandLine::from_arg_matches(&matches)) {
            Ok(CommandLine { command: Some(Command::Completions { shell }), .. }) => {
                clap_complete::generate(shell, &mut command, self.name, &mut std::io::stdout());
                Ok(None)
            }
            Ok(CommandLine { daemon, command: None }) => Ok(Some(daemon)),
            Err(shown) if !shown.use_stderr() => {
                // A closed pipe under `--help` is nobody's problem.
                let _ = shown.print();
                Ok(None)
            }
            Err(wrong) => {
                let text = wrong.render().to_string();
                let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
                Err(Failure::new(Exit::Usage, text))
            }
        }
    }

    async fn live<C, S>(self, config: C, start: S, deadline: Duration) -> Result<(), Failure>
    where
        S: AsyncFnOnce(C, &Process) -> Result<(), Failure>,
    {
        let stop = signal::shutdown().or_exit(Exit::Internal)?;
        tokio::pin!(stop);
        let (trigger, process) = Process::new(self.name);
        let tasks = process.tasks.clone();
        tracing::info!(daemon = self.name, version = build_info::version(), "starting");
        let run = async {
            start(config, &process).await?;
            tracing::info!("started");
            Err::<std::convert::Infallible, _>(Failure::new(Exit::Internal, tasks.failed().await))
        };
        let ended = tokio::select! {
            Err(failure) = run => Err(failure),
            signal = &mut stop => {
                tracing::info!(signal, "stopping");
                Ok(())
            }
        };
        drop(process);
        shut_down(trigger, &tasks, deadline).await;
        ended
    }
}

/// Drains, then ends every task. A second signal is not waited for: the deadline is the bound.
async fn shut_down(trigger: DrainTrigger, tasks: &Tasks, deadline: Duration) {
    if let Drained::Forced { held } = trigger.drain(deadline).await {
        tracing::warn!(held, "the drain took too long: what was left is cut off");
    }
    let cancelled = tasks.stop(TASK_GRACE).await;
    if cancelled > 0 {
        tracing::warn!(cancelled, "tasks did not end by themselves");
    }
    tracing::info!("stopped");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {}

    const SAMPLE: Daemon = Daemon { name: "sample", about: "A sample", examples: "sample --config a.toml" };

    fn exit_of(args: &[&str]) -> (Exit, String) {
        let args = std::iter::once("sample").chain(args.iter().copied()).map(Into::into);
        let start = async |_: Config, _: &Process| Err(Failure::new(Exit::Unavailable, "port taken"));
        match SAMPLE.execute(args, config::load::<Config>, start) {
            Ok(()) => (Exit::Success, String::new()),
            Err(failure) => (failure.exit(), failure.to_string()),
        }
    }

    #[test]
    fn the_command_line_decides_the_exit_code() {
        let directory = tempfile::tempdir().unwrap();
        let (good, bad) = (directory.path().join("good.toml"), directory.path().join("bad.toml"));
        std::fs::write(&good, "").unwrap();
        std::fs::write(&bad, "colour = 1\n").unwrap();
        let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

        assert_eq!(exit_of(&["--help"]).0, Exit::Success);
        assert_eq!(exit_of(&["--version"]).0, Exit::Success);
        assert_eq!(exit_of(&["completions", "bash"]).0, Exit::Success);
        assert_eq!(exit_of(&["--config", good, "--check-config"]).0, Exit::Success);
        assert_eq!(exit_of(&[]).0, Exit::Usage);
        assert_eq!(exit_of(&["--colour"]).0, Exit::Usage);
        let (exit, message) = exit_of(&["--config", bad]);
        assert_eq!(exit, Exit::Usage);
        assert!(message.contains("bad.toml:1:1: `colour`: unknown field"), "{message}");
        assert_eq!(exit_of(&["--config", good]), (Exit::Unavailable, "port taken".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_task_ends_the_process_and_drains_the_rest() {
        let (told, seen) = tokio::sync::oneshot::channel();
        let start = async |(): (), process: &Process| {
            let drain = process.drain.clone();
            process.tasks.spawn("polite", async move {
                drain.wait().await;
                let _ = told.send(());
            });
            process.tasks.spawn_fallible("broken", async { Err::<(), _>("no disk") });
            Ok(())
        };
        let failure = SAMPLE.live((), start, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Internal);
        assert_eq!(failure.to_string(), "task broken failed: no disk");
        seen.await.unwrap();
    }
}
