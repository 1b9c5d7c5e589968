//! The operator's command line: asks the federation servers, and prints what they say for people or for programs.
//!
//! Owns: the verbs, the shape of their output (which programs may rely on), the exit codes, and the words in which a
//! failure says what to do next.
//!
//! Must never: know more than an operator's certificate may ask for, print a private key or overwrite one, or write to standard output
//! anything but the answer.
//!
//! Reading order: [`arguments`] → [`connect`] and `diagnose` → [`catalogue`] → [`verbs`] (one file each: asking, and the report) →
//! [`output`] and [`failure`].
//!
//! Tests: golden ones of every report in `tests/reports.rs`, on a sample catalogue; parsing beside the parsers. Against
//! real servers: `multi-cluster-e2e/scenarios`.

pub mod arguments;
pub mod catalogue;
pub mod connect;
mod diagnose;
pub mod failure;
pub mod output;
pub mod service_name;
pub mod verbs;

use std::process::ExitCode;

pub use arguments::Arguments;

use failure::Failure;

/// Runs one command line and says how it ended.
pub fn run(arguments: Arguments) -> ExitCode {
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from_io)
        .and_then(|runtime| runtime.block_on(verbs::run(arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed: the exit code still says it.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), failure.to_string().as_bytes());
            ExitCode::from(failure.code())
        }
    }
}
