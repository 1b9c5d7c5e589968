//! A helper process that outlives the lab by a moment, so that a lab that is killed leaves nothing behind.
//!
//! It reads a pipe of which the lab holds the other end. The lab tells it which processes and directories it has;
//! when the pipe ends without a farewell, the lab is dead, and the warden kills and removes what it was told of. It
//! compares start times, so a pid that was given to another process in between is left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::proc_stat::is_alive;
use crate::layout::remove_all;

/// How long a killed process may take to be gone.
const DYING: Duration = Duration::from_secs(5);
/// Pause between two looks whether it is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// The lab's side. The default value is a warden that was never started.
#[derive(Debug, Default)]
pub struct Warden {
    running: Option<(Child, ChildStdin)>,
}

impl Warden {
    /// Starts `isthmus-lab warden` from `program`.
    pub fn start(program: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg("warden")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {} warden", program.display()))?;
        let pipe = child.stdin.take().context("the warden has no pipe")?;
        Ok(Self { running: Some((child, pipe)) })
    }

    pub(super) fn watch(&mut self, pid: u32, started: u64) {
        self.say(format!("watch {pid} {started}\n").as_bytes());
    }

    pub(super) fn forget(&mut self, pid: u32) {
        self.say(format!("forget {pid}\n").as_bytes());
    }

    pub(super) fn remove_on_death(&mut self, path: &Path) {
        self.say(&[b"remove ", path.as_os_str().as_bytes(), b"\n"].concat());
    }

    /// Says farewell and waits until the warden has ended.
    pub(super) async fn dismiss(mut self) {
        self.say(b"farewell\n");
        if let Some((mut child, pipe)) = self.running.take() {
            drop(pipe);
            // It ends at once: it has nothing to do any more. Only a panic of the runtime could lose the result.
            let _ = tokio::task::spawn_blocking(move || child.wait()).await;
        }
    }

    /// A warden that has itself been killed cannot help; the lab goes on without.
    fn say(&mut self, line: &[u8]) {
        if let Some((_, pipe)) = &mut self.running {
            let _ = pipe.write_all(line).and_then(|()| pipe.flush());
        }
    }
}

impl Drop for Warden {
    /// Without a farewell the warden cleans up now; that takes it milliseconds, and whoever dropped a lab (a failed test, an
    /// interrupted start) may rely on it afterwards.
    fn drop(&mut self) {
        if let Some((mut child, pipe)) = self.running.take() {
            drop(pipe);
            // Cannot be heard of in a destructor, and nothing could be done about it.
            let _ = child.wait();
        }
    }
}

/// The warden's side: returns when the lab has said farewell or died, and then everything is clean.
pub fn serve(orders: impl BufRead) {
    let mut ward = Ward::default();
    for line in orders.split(b'\n') {
        match line {
            Ok(line) => ward.hear(&line),
            Err(_) => break,
        }
    }
    ward.clean();
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Ward {
    processes: BTreeMap<u32, u64>,
    paths: BTreeSet<PathBuf>,
}

impl Ward {
    fn hear(&mut self, line: &[u8]) {
        if let Some(path) = line.strip_prefix(b"remove ") {
            self.paths.insert(PathBuf::from(std::ffi::OsStr::from_bytes(path)));
            return;
        }
        let text = String::from_utf8_lossy(line);
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["watch", pid, started] => {
                if let (Ok(pid), Ok(started)) = (pid.parse(), started.parse()) {
                    self.processes.insert(pid, started);
                }
            }
            ["forget", pid] => {
                if let Ok(pid) = pid.parse::<u32>() {
                    self.processes.remove(&pid);
                }
            }
            ["farewell"] => *self = Self::default(),
            _ => {}
        }
    }

    fn clean(&self) {
        for (pid, _) in self.living() {
            if let Ok(pid) = i32::try_from(*pid) {
                // Gone between the look and the kill: just what is wanted.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // A process that is dying may still write: a directory is removed when nobody is left who could.
        let began = Instant::now();
        while self.living().next().is_some() && began.elapsed() < DYING {
            std::thread::park_timeout(BETWEEN_LOOKS);
        }
        for path in &self.paths {
            // Nobody is left to hear of a failure.
            let _ = remove_all(path);
        }
    }

    fn living(&self) -> impl Iterator<Item = (&u32, &u64)> {
        self.processes.iter().filter(|(pid, started)| is_alive(**pid, **started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::proc_stat::ProcStat;

    fn sleeper() -> (Child, u32, u64) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id();
        let started = ProcStat::read(pid).unwrap().started;
        (child, pid, started)
    }

    #[test]
    fn a_dead_labs_processes_and_directories_go() {
        let (mut child, pid, started) = sleeper();
        let dir = tempfile::tempdir().unwrap();
        let doomed = dir.path().join("run");
        std::fs::create_dir(&doomed).unwrap();
        serve(format!("watch {pid} {started}\nremove {}\n", doomed.display()).as_bytes());
        assert!(!child.wait().unwrap().success());
        assert!(!doomed.exists());
    }

    #[test]
    fn forgotten_reused_and_farewelled_processes_are_left_alone() {
        let (mut child, pid, started) = sleeper();
        serve(format!("watch {pid} {started}\nforget {pid}\n").as_bytes());
        serve(format!("watch {pid} {}\n", started + 1).as_bytes());
        serve(format!("watch {pid} {started}\nfarewell\n").as_bytes());
        serve(b"watch x y\nnonsense\n\xff\xfe\n".as_slice());
        assert!(is_alive(pid, started));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
