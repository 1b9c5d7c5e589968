//! `supervise` (hidden): the process behind `up --detach`. It says what it does on standard output until the lab is
//! up, and nothing afterwards: whoever listened is gone then.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use super::up::{self, Request};

/// The last line that is said.
pub(crate) const READY: &str = "ready";

/// Runs the verb.
pub(crate) async fn run(request: Request) -> anyhow::Result<ExitCode> {
    let silent = AtomicBool::new(false);
    let silent = std::sync::Arc::new(silent);
    let quiet = std::sync::Arc::clone(&silent);
    let say = move |line: &str| {
        if !quiet.load(Ordering::Relaxed) {
            tell(line);
        }
    };
    let ready = |_: &_| {
        tell(READY);
        silent.store(true, Ordering::Relaxed);
        Ok(())
    };
    let ended = up::live(&request, &say, ready).await;
    if let Err(error) = &ended {
        say(&format!("{error:#}"));
    }
    ended
}

/// Whoever started this may have been interrupted: the lab comes up nevertheless.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
