//! Logs: one line per event on standard error, for people or for machines.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// In force unless the filter says otherwise of the same target. openraft tells every step of an election, and several
/// times a second that a peer is gone; `federation-raft` says each of these once. kube warns of every request that
/// fails; `agent-kubernetes` says what is wrong, and when it ends.
const QUIET: &str = "openraft=off,kube_client=off";

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, fields of the event at the top level.
    Json,
}

/// The logging options of every daemon.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or `target=level` pairs joined by commas
    #[arg(long, value_name = "FILTER", default_value = "info", env = "ISTHMUS_LOG", global = true)]
    pub log_level: LogFilter,
    /// How to write it
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text", global = true)]
    pub log_format: LogFormat,
}

/// A filter that is known to parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::builder().parse(text).map(|_| Self(text.to_owned()))
    }
}

impl LogFilter {
    fn with_quiet(&self) -> String {
        format!("{QUIET},{}", self.0)
    }
}

/// Logging could not be set up: somebody in this process has done so before.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up logging")]
pub struct TelemetryError(#[source] tracing_subscriber::util::TryInitError);

/// Sets up logging for the whole process. Call it once, from `main`.
///
/// # Errors
/// When it was set up before.
pub fn init(args: &LogArgs) -> Result<(), TelemetryError> {
    // Parsed before, by `LogFilter`; `new` drops what it cannot read instead of failing.
    let filter = EnvFilter::new(args.log_level.with_quiet());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).finish().try_init(),
    }
    .map_err(TelemetryError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_checked_when_it_is_read() {
        assert!("info,openraft=warn".parse::<LogFilter>().is_ok());
        assert!("openraft=loud".parse::<LogFilter>().is_err());
    }

    #[test]
    fn a_chatty_library_is_quiet_unless_asked_for() {
        let in_force =
            |text: &str| EnvFilter::new(text.parse::<LogFilter>().unwrap().with_quiet()).to_string();
        assert!(in_force("info").contains("openraft=off") && in_force("info").contains("kube_client=off"));
        assert!(in_force("info,openraft=debug").contains("openraft=debug"));
        assert!(!in_force("info,openraft=debug").contains("openraft=off"));
    }
}
