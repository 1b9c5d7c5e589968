//! All processes of one lab.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use tokio::task::JoinSet;

use super::child::{ProcessSpec, Running, Status};
use super::warden::Warden;

/// How long a process may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(8);

/// Starts, stops and knows the lab's processes. Every one of them is also known to the warden, which ends whatever is
/// left if this process dies.
#[derive(Debug)]
pub struct Supervisor {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    processes: BTreeMap<String, Managed>,
    warden: Warden,
    owners: JoinSet<()>,
}

#[derive(Debug)]
struct Managed {
    spec: ProcessSpec,
    running: Option<Running>,
}

impl Supervisor {
    /// Nothing runs yet; `warden` has been started.
    pub fn new(warden: Warden) -> Self {
        Self { inner: Mutex::new(Inner { processes: BTreeMap::new(), warden, owners: JoinSet::new() }) }
    }

    /// Starts a process for the first time.
    pub fn launch(&self, spec: ProcessSpec) -> anyhow::Result<u32> {
        let mut inner = self.lock();
        let name = spec.name.clone();
        if inner.processes.contains_key(&name) {
            bail!("there is already a process named {name}");
        }
        let running = inner.spawn(&spec)?;
        let pid = running.pid;
        inner.processes.insert(name, Managed { spec, running: Some(running) });
        Ok(pid)
    }

    /// Starts a process that has ended again, as it was started before.
    pub fn start(&self, name: &str) -> anyhow::Result<u32> {
        let mut inner = self.lock();
        let managed = inner.managed(name)?;
        if let Some(pid) = managed.status().pid() {
            bail!("{name} runs already, as process {pid}");
        }
        let spec = managed.spec.clone();
        let running = inner.spawn(&spec)?;
        let pid = running.pid;
        inner.processes.insert(name.to_owned(), Managed { spec, running: Some(running) });
        Ok(pid)
    }

    /// Ends a process: SIGTERM and, if that is not enough, SIGKILL; or SIGKILL at once if `hard`. Returns when it is
    /// gone. One that does not run is no error.
    pub async fn stop(&self, name: &str, hard: bool) -> anyhow::Result<()> {
        let running = {
            let mut inner = self.lock();
            inner.managed(name)?.running.take()
        };
        let Some(mut running) = running else { return Ok(()) };
        running.signal(if hard { Signal::SIGKILL } else { Signal::SIGTERM }).await;
        let ended = |status: &Status| !matches!(status, Status::Running { .. });
        if tokio::time::timeout(GRACE, running.status.wait_for(ended)).await.is_err() {
            running.signal(Signal::SIGKILL).await;
            // The task that owns the process always ends with it, so this cannot wait for ever.
            let _ = running.status.wait_for(ended).await;
        }
        self.lock().warden.forget(running.pid);
        Ok(())
    }

    /// Stops a process where it stands: it keeps everything and does nothing. One that does not run is no error.
    pub async fn pause(&self, name: &str) -> anyhow::Result<()> {
        self.signal(name, Signal::SIGSTOP).await
    }

    /// Lets a paused process go on.
    pub async fn resume(&self, name: &str) -> anyhow::Result<()> {
        self.signal(name, Signal::SIGCONT).await
    }

    async fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let order = self.lock().managed(name)?.running.as_ref().map(Running::sender);
        if let Some(order) = order {
            // Closed once the process has ended: then there is nobody to signal.
            let _ = order.send(signal).await;
        }
        Ok(())
    }

    /// Ends every process, all at the same time.
    pub async fn stop_all(&self) {
        let names: Vec<String> = self.lock().processes.keys().cloned().collect();
        let stops = names.iter().map(|name| self.stop(name, false));
        futures::future::join_all(stops).await;
        let mut owners = std::mem::take(&mut self.lock().owners);
        while owners.join_next().await.is_some() {}
    }

    /// The warden removes `path` if this process dies before it says [`Self::leave`].
    pub fn remove_on_death(&self, path: PathBuf) {
        self.lock().warden.remove_on_death(&path);
    }

    /// Tells the warden that nothing is left for it to do.
    pub async fn leave(&self) {
        let warden = std::mem::take(&mut self.lock().warden);
        warden.dismiss().await;
    }

    /// What every process does.
    pub fn statuses(&self) -> BTreeMap<String, Status> {
        self.lock().processes.iter().map(|(name, managed)| (name.clone(), managed.status())).collect()
    }

    /// What one process does.
    pub fn status(&self, name: &str) -> anyhow::Result<Status> {
        Ok(self.lock().managed(name)?.status())
    }

    /// Where a process's output goes.
    pub fn log(&self, name: &str) -> anyhow::Result<PathBuf> {
        Ok(self.lock().managed(name)?.spec.log.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn spawn(&mut self, spec: &ProcessSpec) -> anyhow::Result<Running> {
        let (running, owner) = Running::spawn(spec).with_context(|| format!("cannot start {}", spec.name))?;
        self.warden.watch(running.pid, running.started);
        self.owners.spawn(owner);
        Ok(running)
    }

    fn managed(&mut self, name: &str) -> anyhow::Result<&mut Managed> {
        if !self.processes.contains_key(name) {
            let known: Vec<&str> = self.processes.keys().map(String::as_str).collect();
            bail!("no process is named {name}; there are {}", known.join(", "));
        }
        self.processes.get_mut(name).context("the process was there a moment ago")
    }
}

impl Managed {
    fn status(&self) -> Status {
        self.running.as_ref().map_or(Status::Stopped, |running| running.status.borrow().clone())
    }
}
