//! What the servers of a lab use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::process::proc_stat::{ProcStat, resident_kib};
use tokio::task::JoinHandle;

use super::usage::Usage;

/// How often memory is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// How many times memory is looked at until the disk is too.
const DISK_EVERY: u32 = 25;
/// What a server says of the bytes that it sent to watchers.
const SENT: &str = "isthmus_watch_sent_bytes_total";
/// And of its log and its snapshot.
const DISK: &str = "isthmus_raft_disk_bytes";

/// Watches the memory and the disks of the servers.
pub(super) struct Servers {
    pids: BTreeMap<String, u32>,
    used: Arc<Mutex<BTreeMap<String, Usage>>>,
    watching: JoinHandle<()>,
}

impl Servers {
    /// From now on.
    pub(super) fn of(lab: &Arc<Lab>) -> anyhow::Result<Self> {
        let mut pids = BTreeMap::new();
        for server in &lab.topology().servers {
            let pid = lab.process(&server.name())?.pid();
            pids.insert(server.name(), pid.with_context(|| format!("{} does not run", server.name()))?);
        }
        let used: Arc<Mutex<BTreeMap<String, Usage>>> = Arc::default();
        let watching = tokio::spawn(watch(Arc::clone(lab), pids.clone(), Arc::clone(&used)));
        Ok(Self { pids, used, watching })
    }

    /// Processor time that all of them have used.
    pub(super) fn cpu(&self) -> anyhow::Result<Duration> {
        self.pids
            .iter()
            .map(|(name, pid)| Ok(ProcStat::read(*pid).with_context(|| format!("{name} has ended"))?.cpu))
            .sum()
    }

    /// Bytes that all of them have sent to watchers.
    pub(super) async fn sent(&self, lab: &Lab) -> anyhow::Result<f64> {
        let mut sum = 0.0;
        for server in &lab.topology().servers {
            sum += lab.observer().metric(server.http, SENT, "").await?;
        }
        Ok(sum)
    }

    /// What each of them used.
    pub(super) fn finish(self) -> BTreeMap<String, Usage> {
        self.watching.abort();
        std::mem::take(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn watch(lab: Arc<Lab>, pids: BTreeMap<String, u32>, used: Arc<Mutex<BTreeMap<String, Usage>>>) {
    let mut ticks = tokio::time::interval(EVERY);
    for tick in (0..DISK_EVERY).cycle() {
        ticks.tick().await;
        for server in &lab.topology().servers {
            let (name, look) = (server.name(), tick == 0);
            let Some(kib) = pids.get(&name).and_then(|pid| resident_kib(*pid)) else { continue };
            let disk = if look { lab.observer().metric(server.http, DISK, "").await.ok() } else { None };
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            used.entry(name).or_default().seen(kib, disk);
        }
    }
}
