//! Three servers of a lab, and what they use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::process::proc_stat::{ProcStat, resident_kib};
use tokio::task::JoinHandle;

/// How often memory is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// What a server says of the bytes that it sent to watchers.
const SENT: &str = "isthmus_watch_sent_bytes_total";

/// A lab of which only the servers run.
pub(super) async fn start() -> anyhow::Result<Arc<Lab>> {
    let clusters = vec!["idle".parse()?];
    let lab = Lab::temporary(LabSpec { clusters, ports: PortChoice::Random, ..LabSpec::default() }).await?;
    // A lab has at least one cluster; this one would import everything.
    let others: Vec<String> =
        lab.processes().into_keys().filter(|name| !name.starts_with("server-")).collect();
    for name in others {
        lab.stop(&name, true).await?;
    }
    Ok(lab)
}

/// Watches the memory of the servers.
pub(super) struct Servers {
    pids: BTreeMap<String, u32>,
    most: Arc<Mutex<BTreeMap<String, u64>>>,
    watching: JoinHandle<()>,
}

impl Servers {
    /// From now on.
    pub(super) fn of(lab: &Lab) -> anyhow::Result<Self> {
        let mut pids = BTreeMap::new();
        for server in &lab.topology().servers {
            let pid = lab.process(&server.name())?.pid();
            pids.insert(server.name(), pid.with_context(|| format!("{} does not run", server.name()))?);
        }
        let most: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let (watched, seen) = (pids.clone(), Arc::clone(&most));
        let watching = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(EVERY);
            loop {
                ticks.tick().await;
                for (name, pid) in &watched {
                    let now = resident_kib(*pid).unwrap_or_default();
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let most = seen.entry(name.clone()).or_default();
                    *most = now.max(*most);
                }
            }
        });
        Ok(Self { pids, most, watching })
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

    /// The most that each of them had resident, in KiB.
    pub(super) fn finish(self) -> BTreeMap<String, u64> {
        self.watching.abort();
        std::mem::take(&mut self.most.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
