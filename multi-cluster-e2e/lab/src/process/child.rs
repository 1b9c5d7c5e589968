//! One child process and the task that owns it.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::proc_stat::ProcStat;

/// What to run.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// Unique in the lab.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Where its output goes, appended.
    pub log: PathBuf,
}

/// What became of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Status {
    /// It runs.
    Running {
        /// Its id.
        pid: u32,
        /// When it started, in ticks since boot.
        started: u64,
    },
    /// It was stopped on request.
    Stopped,
    /// It ended by itself.
    Exited {
        /// `exit status: 70`, or the signal.
        how: String,
    },
}

impl Status {
    /// Its pid while it runs.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Running { pid, .. } => Some(*pid),
            Self::Stopped | Self::Exited { .. } => None,
        }
    }
}

/// A started process. Signals go through the task that owns it, so that none can reach a reused pid.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) started: u64,
    pub(super) status: watch::Receiver<Status>,
    signals: mpsc::Sender<Signal>,
}

impl Running {
    /// Starts `spec`; the returned future owns the process and completes when it has ended.
    pub(super) fn spawn(
        spec: &ProcessSpec,
    ) -> anyhow::Result<(Self, impl Future<Output = ()> + Send + use<>)> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&spec.log)
            .with_context(|| format!("cannot open the log {}", spec.log.display()))?;
        let child = Command::new(&spec.program)
            .args(&spec.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", spec.program.display()))?;
        let pid = child.id().context("the process ended before it had an id")?;
        let started = ProcStat::read(pid).map_or(0, |stat| stat.started);
        let (status_sender, status) = watch::channel(Status::Running { pid, started });
        let (signals, orders) = mpsc::channel(4);
        Ok((Self { pid, started, status, signals }, own(child, orders, status_sender)))
    }

    /// Sends a signal, unless the process has ended.
    pub(super) async fn signal(&self, signal: Signal) {
        // A closed channel means that the process has ended: then there is nothing to do.
        let _ = self.signals.send(signal).await;
    }

    /// For signals that outlive this borrow.
    pub(super) fn sender(&self) -> mpsc::Sender<Signal> {
        self.signals.clone()
    }
}

async fn own(mut child: Child, mut orders: mpsc::Receiver<Signal>, status: watch::Sender<Status>) {
    let mut asked = false;
    loop {
        tokio::select! {
            ended = child.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                status.send_replace(if asked { Status::Stopped } else { Status::Exited { how } });
                return;
            }
            Some(signal) = orders.recv() => {
                asked |= matches!(signal, Signal::SIGTERM | Signal::SIGKILL);
                if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                    // Fails only if it has just ended, and then `wait` is about to say so.
                    let _ = kill(Pid::from_raw(pid), signal);
                }
            }
        }
    }
}
