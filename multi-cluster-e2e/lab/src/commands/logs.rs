//! `logs`: what a process has written.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use multi_cluster_e2e_lab::state::LabState;

use super::Which;

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How much of the end of a log is read at first.
const TAIL: u64 = 256 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Logs {
    /// The process's name, as `status` shows it.
    name: String,
    /// Go on as more is written, until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many lines to begin with.
    #[arg(short = 'n', long, default_value_t = 100)]
    lines: usize,
    #[command(flatten)]
    which: Which,
}

/// Runs the verb.
pub(crate) async fn run(logs: &Logs) -> anyhow::Result<ExitCode> {
    let state = LabState::read(&logs.which.dir)?;
    let Some(process) = state.processes.get(&logs.name) else {
        let known: Vec<&str> = state.processes.keys().map(String::as_str).collect();
        bail!("no process is named {}; there are {}", logs.name, known.join(", "));
    };
    let path = &process.log;
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if show(last_lines(&bytes, logs.lines)).is_err() {
        return Ok(ExitCode::SUCCESS);
    }
    if !logs.follow {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        bytes.clear();
        file.read_to_end(&mut bytes)?;
        if show(&bytes).is_err() {
            return Ok(ExitCode::SUCCESS);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn show(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn last_lines(bytes: &[u8], count: usize) -> &[u8] {
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut ends = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    match count.checked_sub(1) {
        None => &[],
        Some(skipped) => bytes.get(ends.nth(skipped).unwrap_or(0)..).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        let text = b"one\ntwo\nthree\n";
        assert_eq!(last_lines(text, 0), b"");
        assert_eq!(last_lines(text, 1), b"three\n");
        assert_eq!(last_lines(text, 2), b"two\nthree\n");
        assert_eq!(last_lines(text, 9), text);
        assert_eq!(last_lines(b"unfinished", 1), b"unfinished");
        assert_eq!(last_lines(b"", 5), b"");
    }
}
