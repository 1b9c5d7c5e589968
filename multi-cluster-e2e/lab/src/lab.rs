//! A running lab, for whoever started it: the `up` command, the tour, the scenarios and the benchmarks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use federation_client::AdminClient;
use federation_model::ClusterId;

use crate::binaries::Binaries;
use crate::client::dns::{self, DnsAnswer};
use crate::client::http::{self, HttpAnswer};
use crate::layout::{Keep, Layout, remove_all};
use crate::loopback::LoopbackBlock;
use crate::observe::Observer;
use crate::plan::{LabSpec, plan};
use crate::process::warden::Warden;
use crate::process::{ProcessSpec, Status, Supervisor};
use crate::render::manifests::ServiceManifest;
use crate::state::{LabState, ProcessState, write_whole};
use crate::topology::{ClusterPlace, Topology};
use crate::wait::{Seen, until};
use crate::{admin, launch};

/// How long a process may take to become ready.
const READY: Duration = Duration::from_secs(30);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 12;

/// Told what happens while a lab comes up.
pub type Say = dyn Fn(&str) + Send + Sync;

/// Says nothing.
pub fn silent(_: &str) {}

/// All processes of one clusterset. Ends with [`Lab::down`]; if it is dropped without, or killed, the warden ends it.
#[derive(Debug)]
pub struct Lab {
    layout: Layout,
    topology: Topology,
    binaries: Binaries,
    supervisor: Supervisor,
    observer: Observer,
    _blocks: Vec<LoopbackBlock>,
}

impl Lab {
    /// Brings a whole lab up in `layout` and returns when every cluster can call every service that it may import.
    /// If that fails, nothing is left behind.
    pub async fn up(spec: &LabSpec, layout: Layout, say: &Say) -> anyhow::Result<Arc<Self>> {
        let lab = match Self::prepare(spec, layout.clone()) {
            Ok(lab) => Arc::new(lab),
            Err(error) => {
                remove(&layout);
                return Err(error);
            }
        };
        if let Err(error) = launch::bring_up(&lab, say).await {
            lab.down().await?;
            return Err(error);
        }
        Ok(lab)
    }

    /// A lab with random ports in a directory of its own, for tests and measurements.
    pub async fn temporary(spec: LabSpec) -> anyhow::Result<Arc<Self>> {
        Self::up(&spec, Layout::temporary()?, &silent).await
    }

    /// A lab of which nothing runs yet.
    pub(crate) fn prepare(spec: &LabSpec, layout: Layout) -> anyhow::Result<Self> {
        let binaries = Binaries::locate()?;
        for program in ["isthmus-server", "isthmus-agent", "isthmus-gateway"] {
            binaries.program(program)?;
        }
        if spec.envoy {
            Binaries::envoy()?;
        }
        let before = LabState::read(layout.root()).ok().map(|state| state.topology);
        let (topology, blocks) = plan(spec, &layout, before.as_ref())?;
        let supervisor = Supervisor::new(Warden::start(&binaries.program("isthmus-lab")?)?);
        for path in layout.removed_at_end() {
            supervisor.remove_on_death(path);
        }
        Ok(Self { layout, topology, binaries, supervisor, observer: Observer::new()?, _blocks: blocks })
    }

    /// Ends everything; afterwards nothing of it is left but the directory, if that is kept.
    pub async fn down(&self) -> anyhow::Result<()> {
        self.supervisor.stop_all().await;
        let written = if self.layout.keep() == Keep::Yes { self.save() } else { Ok(()) };
        remove(&self.layout);
        self.supervisor.leave().await;
        written
    }

    /// Where everything is.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// One cluster's places.
    pub fn cluster(&self, name: &str) -> anyhow::Result<&ClusterPlace> {
        self.topology.cluster(name)
    }

    /// The lab's files.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The programs that it runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// To look at daemons with.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// An operator's client.
    pub fn operator(&self) -> anyhow::Result<AdminClient> {
        admin::operator(&self.layout.admin(), &self.topology.api_addresses())
    }

    /// Starts a process that is no sample: a scenario's own.
    pub fn launch(&self, name: &str, program: PathBuf, args: Vec<std::ffi::OsString>) -> anyhow::Result<u32> {
        let log = self.layout.log(name);
        let pid = self.supervisor.launch(ProcessSpec { name: name.to_owned(), program, args, log })?;
        self.save()?;
        Ok(pid)
    }

    /// Ends one process.
    pub async fn stop(&self, name: &str, hard: bool) -> anyhow::Result<()> {
        self.supervisor.stop(name, hard).await?;
        self.save()
    }

    /// Starts one process again.
    pub async fn start(&self, name: &str) -> anyhow::Result<u32> {
        let pid = self.supervisor.start(name)?;
        self.save()?;
        Ok(pid)
    }

    /// What one process does.
    pub fn process(&self, name: &str) -> anyhow::Result<Status> {
        self.supervisor.status(name)
    }

    /// What all processes do.
    pub fn processes(&self) -> BTreeMap<String, Status> {
        self.supervisor.statuses()
    }

    /// Waits until a daemon says that it is ready. An error at once if it ends instead.
    pub async fn ready(&self, name: &str, http: std::net::SocketAddr) -> anyhow::Result<Duration> {
        let look = || async {
            self.expect_running(name)?;
            Ok(Seen::from_result(self.observer.ready(http).await))
        };
        let waited = until(&format!("{name} to be ready"), READY, look).await;
        waited.map(|((), took)| took).map_err(|error| self.with_log(&error, name))
    }

    /// An error if a process has ended.
    pub(crate) fn expect_running(&self, name: &str) -> anyhow::Result<()> {
        match self.supervisor.status(name)? {
            Status::Running { .. } => Ok(()),
            Status::Stopped => bail!("{name} was stopped"),
            Status::Exited { how } => bail!("{name} ended by itself ({how})"),
        }
    }

    /// An error with what a process wrote last.
    pub(crate) fn with_log(&self, error: &anyhow::Error, name: &str) -> anyhow::Error {
        anyhow!("{error:#}\nthe end of the log of {name}:\n{}", self.log_tail(name))
    }

    /// The last lines that a process wrote.
    pub fn log_tail(&self, name: &str) -> String {
        let text = std::fs::read(self.layout.log(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }

    /// Asks a cluster's DNS server.
    pub async fn dig(&self, cluster: &str, name: &str, kind: &str) -> anyhow::Result<DnsAnswer> {
        dns::query(self.cluster(cluster)?.dns, name, kind).await
    }

    /// Calls a URL as a pod of `cluster` without a proxy.
    pub async fn curl(&self, cluster: &str, url: &str) -> anyhow::Result<HttpAnswer> {
        http::get(self.cluster(cluster)?, url).await
    }

    /// Saves a service's YAML in a cluster, as an editor would: whole, by rename.
    pub fn save_yaml(&self, cluster: &str, service: &ServiceManifest) -> anyhow::Result<()> {
        self.save_text(cluster, &service.file_name(), &service.to_yaml())
    }

    /// Saves any text among a cluster's YAML.
    pub fn save_text(&self, cluster: &str, file: &str, text: &str) -> anyhow::Result<()> {
        write_whole(&self.cluster(cluster)?.manifests.join(file), text.as_bytes())
    }

    /// The manifest of a sample as the lab wrote it at first.
    pub fn sample(&self, cluster: &str, service: &str) -> anyhow::Result<ServiceManifest> {
        let index = self.topology.clusters.iter().position(|c| c.id.as_str() == cluster);
        let index = index.with_context(|| format!("no cluster {cluster}"))?;
        let samples = crate::samples::samples(index, &self.cluster_ids());
        let sample = samples.iter().find(|s| s.name == service);
        let sample = sample.with_context(|| format!("{cluster} has no sample {service}"))?;
        Ok(ServiceManifest::of_sample(self.cluster(cluster)?, sample))
    }

    /// The ids of all clusters, in order.
    pub fn cluster_ids(&self) -> Vec<ClusterId> {
        self.topology.clusters.iter().map(|c| c.id.clone()).collect()
    }

    /// What `lab.json` says now.
    pub fn state(&self) -> LabState {
        let with_log = |(name, status): (String, Status)| {
            let log = self.layout.log(&name);
            (name, ProcessState { status, log })
        };
        let processes = self.supervisor.statuses().into_iter().map(with_log).collect();
        LabState::new(&self.layout, self.layout.keep() == Keep::No, &self.topology, processes)
    }

    /// Writes `lab.json`.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        self.state().write(self.layout.root())
    }
}

/// Removes what does not outlive the lab. There is nobody to hear of a failure but the user, who has the path.
fn remove(layout: &Layout) {
    for path in layout.removed_at_end() {
        if let Err(error) = remove_all(&path) {
            tracing::warn!(%error, "left behind");
        }
    }
}
