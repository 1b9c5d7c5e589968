//! `isthmus`: asks the federation what it knows.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    federation_cli::run(federation_cli::Arguments::parse())
}
