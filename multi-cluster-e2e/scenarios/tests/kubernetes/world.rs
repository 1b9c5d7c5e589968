//! A federation of two clusters on Kubernetes: one server, and per cluster an API server and an agent.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use multi_cluster_e2e_kube::{ApiServer, Options, crds};
use multi_cluster_e2e_lab::admin;
use multi_cluster_e2e_lab::binaries::Binaries;
use multi_cluster_e2e_lab::ca::{self, write_secret};
use multi_cluster_e2e_lab::layout::{Layout, make_private};
use multi_cluster_e2e_lab::loopback::LoopbackBlock;
use multi_cluster_e2e_lab::observe::Observer;
use multi_cluster_e2e_lab::plan::{LabSpec, plan};
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Supervisor};
use multi_cluster_e2e_lab::render::agent::agent_toml;
use multi_cluster_e2e_lab::render::server::server_toml;
use multi_cluster_e2e_lab::topology::{Topology, VIP_RANGE_V4};
use multi_cluster_e2e_lab::wait::{Seen, until};
use serde_json::Value;

use crate::world_cluster::{KubeCluster, SYSTEM, prepare};

/// How long anything may take that a story was promised. Generous: two API servers share the machine with a compiler.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The namespace that stories use.
pub(crate) const DEMO: &str = "demo";
/// The file in which an agent keeps its last known good view.
const VIEW: &str = "view.lkg";
/// The default range of VIPs: that of a lab is loopback, which Kubernetes has no use for.
const VIPS: &str = "240.240.0.0/16";

/// What a story may leave out of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crds {
    /// As a chart installs them.
    Installed,
    /// Somebody forgot them in west.
    MissingInWest,
}

/// The world. Ends with [`KubeWorld::end`], or when it is dropped.
pub(crate) struct KubeWorld {
    supervisor: Supervisor,
    layout: Layout,
    topology: Topology,
    binaries: Binaries,
    observer: Observer,
    east: KubeCluster,
    west: KubeCluster,
    _blocks: Vec<LoopbackBlock>,
}

impl KubeWorld {
    /// Everything runs, both agents have joined, and both clusters have the namespace [`DEMO`].
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let world = Self::without_agents(Crds::Installed).await?;
        world.start_agents().await?;
        Ok(world)
    }

    /// The same before the agents start: their configuration is written, and they have a token to join with.
    pub(crate) async fn without_agents(crds: Crds) -> anyhow::Result<Self> {
        let options = Options::cluster().with_user("agent");
        let (east, west) = tokio::try_join!(ApiServer::start(options.clone()), ApiServer::start(options))?;
        east.install_crds(&crds::ours()?).await?;
        if crds == Crds::Installed {
            west.install_crds(&crds::ours()?).await?;
        }
        let layout = Layout::temporary()?;
        let clusters = ["east", "west"].iter().map(|id| id.parse()).collect::<Result<Vec<_>, _>>()?;
        let spec = LabSpec { servers: 1, clusters, ports: PortChoice::Random, ..LabSpec::default() };
        let (topology, blocks) = plan(&spec, &layout, None)?;
        let binaries = Binaries::locate()?;
        let supervisor = Supervisor::new(Warden::start(&binaries.program("isthmus-lab")?)?);
        layout.removed_at_end().into_iter().for_each(|path| supervisor.remove_on_death(path));
        make_private(&layout.root().join("logs"))?;
        ca::create(&layout, &topology.clusterset)?;
        let [east_place, west_place] = [0, 1].map(|index| topology.clusters[index].clone());
        let world = Self {
            supervisor,
            layout,
            topology,
            binaries,
            observer: Observer::new()?,
            east: KubeCluster::new(east, east_place, "10.1.0.1".parse()?).await?,
            west: KubeCluster::new(west, west_place, "10.2.0.1".parse()?).await?,
            _blocks: blocks,
        };
        world.start_server().await?;
        for cluster in [&world.east, &world.west] {
            prepare(&cluster.objects).await?;
            world.write_agent(cluster).await?;
        }
        Ok(world)
    }

    /// Starts both agents and waits until both are ready and every export that there is has been sent.
    pub(crate) async fn start_agents(&self) -> anyhow::Result<()> {
        for cluster in [&self.east, &self.west] {
            self.launch_agent(cluster)?;
        }
        for cluster in [&self.east, &self.west] {
            self.ready(&cluster.place.agent_name(), cluster.place.agent_http).await?;
        }
        Ok(())
    }

    /// The cluster that exports, in most stories.
    pub(crate) fn west(&self) -> &KubeCluster {
        &self.west
    }

    /// The cluster that imports, in most stories.
    pub(crate) fn east(&self) -> &KubeCluster {
        &self.east
    }

    /// Starts one agent for the first time.
    pub(crate) fn launch_agent(&self, cluster: &KubeCluster) -> anyhow::Result<()> {
        self.launch(&cluster.place.agent_name(), "isthmus-agent", self.agent_file(cluster))
    }

    /// What `isthmus-agent check` says of an agent's configuration, a JSON object for each line.
    pub(crate) async fn check_agent(&self, cluster: &KubeCluster) -> anyhow::Result<Vec<Value>> {
        let mut command = tokio::process::Command::new(self.binaries.program("isthmus-agent")?);
        command.args(["check", "--output", "json", "--config"]).arg(self.agent_file(cluster));
        let output = command.kill_on_drop(true).output().await?;
        let lines = String::from_utf8(output.stdout)?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// Kills an agent.
    pub(crate) async fn kill_agent(&self, cluster: &KubeCluster) -> anyhow::Result<()> {
        self.supervisor.stop(&cluster.place.agent_name(), true).await
    }

    /// Starts an agent that was killed.
    pub(crate) fn start_agent(&self, cluster: &KubeCluster) -> anyhow::Result<()> {
        self.supervisor.start(&cluster.place.agent_name()).map(drop)
    }

    /// Kills the federation server.
    pub(crate) async fn kill_server(&self) -> anyhow::Result<()> {
        self.supervisor.stop(&self.topology.servers[0].name(), true).await
    }

    /// Waits until an agent has saved `word` in a file of its data directory: `view.lkg` is what it knows of the
    /// federation, `objects.snapshot` of its own cluster. It saves each at most once a second.
    pub(crate) async fn saved(&self, cluster: &KubeCluster, file: &str, word: &str) -> anyhow::Result<()> {
        let file = self.data(cluster).join(file);
        let look = || async {
            let bytes = std::fs::read(&file).unwrap_or_default();
            let has = bytes.windows(word.len()).any(|found| found == word.as_bytes());
            Ok(if has {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{} bytes without {word}", bytes.len()))
            })
        };
        until("the agent to have saved what it knows", PATIENCE, look).await.map(drop)
    }

    /// The last known good view that an agent has on disk, once it knows of itself.
    pub(crate) async fn memory(&self, cluster: &KubeCluster) -> anyhow::Result<Vec<u8>> {
        self.saved(cluster, VIEW, cluster.place.id.as_str()).await?;
        Ok(std::fs::read(self.data(cluster).join(VIEW))?)
    }

    /// Puts another view there. The agent must not run.
    pub(crate) fn remembers(&self, cluster: &KubeCluster, memory: &[u8]) -> anyhow::Result<()> {
        Ok(std::fs::write(self.data(cluster).join(VIEW), memory)?)
    }

    /// Waits until an agent's `/status` is what `wanted` looks for.
    pub(crate) async fn status_says<T>(
        &self,
        cluster: &KubeCluster,
        what: &str,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let name = cluster.place.agent_name();
        let look = || async {
            Ok(match self.observer.status(cluster.place.agent_http).await {
                Ok(status) => wanted(&status).map_or_else(|| Seen::NotYet(status.to_string()), Seen::Done),
                Err(error) => Seen::NotYet(format!("{error:#}")),
            })
        };
        let waited = until(what, PATIENCE, look).await;
        waited.map(|(seen, _)| seen).map_err(|error| self.with_log(error, &name))
    }

    /// Waits until a daemon says that it is ready.
    pub(crate) async fn ready(&self, name: &str, http: std::net::SocketAddr) -> anyhow::Result<()> {
        let look = || async { Ok(Seen::from_result(self.observer.ready(http).await)) };
        let waited = until(&format!("{name} to be ready"), PATIENCE, look).await;
        waited.map(drop).map_err(|error| self.with_log(error, name))
    }

    fn data(&self, cluster: &KubeCluster) -> PathBuf {
        self.layout.cluster(cluster.place.id.as_str()).join("data")
    }

    /// An agent's configuration.
    pub(crate) fn agent_file(&self, cluster: &KubeCluster) -> PathBuf {
        self.layout.cluster(cluster.place.id.as_str()).join("agent.toml")
    }

    /// What a process wrote last.
    pub(crate) fn with_log(&self, error: anyhow::Error, name: &str) -> anyhow::Error {
        let text = std::fs::read_to_string(self.layout.log(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n");
        error.context(format!("the end of the log of {name}:\n{last}"))
    }

    /// Ends everything.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.supervisor.stop_all().await;
        self.supervisor.leave().await;
        self.layout.removed_at_end().iter().for_each(|path| drop(std::fs::remove_dir_all(path)));
        tokio::join!(self.east.api.stop(), self.west.api.stop());
        Ok(())
    }

    fn launch(&self, name: &str, program: &str, config: PathBuf) -> anyhow::Result<()> {
        let args = vec![OsString::from("--config"), config.into()];
        let program = self.binaries.program(program)?;
        let log = self.layout.log(name);
        self.supervisor.launch(ProcessSpec { name: name.to_owned(), program, args, log }).map(drop)
    }

    async fn start_server(&self) -> anyhow::Result<()> {
        let server = &self.topology.servers[0];
        let dir = self.layout.server(server.id);
        make_private(&dir)?;
        let config = server_toml(&self.layout, &self.topology, server)?.replace(VIP_RANGE_V4, VIPS);
        write_secret(&dir.join("server.toml"), &config)?;
        self.launch(&server.name(), "isthmus-server", dir.join("server.toml"))?;
        self.ready(&server.name(), server.http).await
    }

    /// The configuration of a lab's agent, but for where it reads: the API server, as a user with exactly its rights.
    async fn write_agent(&self, cluster: &KubeCluster) -> anyhow::Result<()> {
        let place = &cluster.place;
        make_private(&self.layout.cluster(place.id.as_str()))?;
        let operator = admin::operator(&self.layout.admin(), &self.topology.api_addresses())?;
        let token = operator.create_token(&place.id, 600).await?.token;
        write_secret(&self.layout.cluster(place.id.as_str()).join("join-token"), &token)?;
        let mut config: toml::Table = agent_toml(&self.layout, &self.topology, place, Vec::new())?.parse()?;
        config.remove("vip_view");
        let kubeconfig = cluster.api.kubeconfig("agent")?.display().to_string();
        let source = [("kubeconfig", kubeconfig), ("namespace", SYSTEM.to_owned())];
        let source = source.into_iter().map(|(key, value)| (key.to_owned(), value.into()));
        let source = toml::Table::from_iter(source);
        config.insert(
            "source".to_owned(),
            toml::Table::from_iter([("kubernetes".to_owned(), source.into())]).into(),
        );
        // Kubernetes refuses loopback addresses of endpoints; nobody dials these in stories without pods.
        let gateway = format!("{}:15443", cluster.gateway);
        let gateways = config.get_mut("gateways").and_then(|g| g.get_mut(0)).context("no gateway")?;
        gateways["address"] = gateway.into();
        write_secret(&self.agent_file(cluster), &toml::to_string(&config)?)
    }
}
