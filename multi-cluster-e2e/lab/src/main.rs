//! `isthmus-lab`: a whole clusterset on one machine, without Docker, Kubernetes or root.

mod commands;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("isthmus-lab: {error:#}");
            ExitCode::from(1)
        }
    }
}
