//! Configuration with a mistake, and ports that are taken: each daemon says which, and exits with the code for it.

use std::net::TcpListener;
use std::path::PathBuf;

use multi_cluster_e2e_lab::ca;
use multi_cluster_e2e_lab::layout::{Keep, Layout, make_private};
use multi_cluster_e2e_lab::plan::{LabSpec, plan};
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::render::{agent::agent_toml, gateway::gateway_toml, server::server_toml};
use multi_cluster_e2e_lab::topology::Topology;
use multi_cluster_e2e_scenarios::{run, run_daemon};

/// A lab of which nothing runs: only its files.
struct Files {
    _dir: tempfile::TempDir,
    layout: Layout,
    topology: Topology,
    // Held, so that no other lab takes the addresses.
    _blocks: Vec<multi_cluster_e2e_lab::loopback::LoopbackBlock>,
}

impl Files {
    fn new() -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let layout = Layout::create(&dir.path().join("lab"), Keep::Yes)?;
        let spec = LabSpec { servers: 1, ports: PortChoice::Random, ..LabSpec::default() };
        let (topology, blocks) = plan(&spec, &layout, None)?;
        ca::create(&layout, &topology.clusterset)?;
        make_private(&layout.manifests("east"))?;
        // Of a clusterset that nobody serves: whoever gets so far as to join would wait for ever.
        std::fs::write(layout.cluster("east").join("join-token"), "isthmus1.east.nonsense.nonsense")?;
        Ok(Self { _dir: dir, layout, topology, _blocks: blocks })
    }

    /// Every daemon with its configuration.
    fn daemons(&self) -> anyhow::Result<[(&'static str, String); 3]> {
        let east = &self.topology.clusters[0];
        Ok([
            ("isthmus-server", server_toml(&self.layout, &self.topology, &self.topology.servers[0])?),
            ("isthmus-agent", agent_toml(&self.layout, &self.topology, east, Vec::new())?),
            ("isthmus-gateway", gateway_toml(&self.layout, east)?),
        ])
    }

    fn save(&self, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.layout.root().join("config.toml");
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typo_in_the_configuration_is_exit_64_with_its_place() -> anyhow::Result<()> {
    let files = Files::new()?;
    for (daemon, config) in files.daemons()? {
        // On a line of its own, before everything else: line 1.
        let path = files.save(&format!("dta_dir = \"/nowhere\"\n{config}"))?;
        let ended = run_daemon(daemon, &path).await?;
        assert_eq!(ended.code, Some(64), "{daemon}: {}", ended.said());
        for word in ["dta_dir", "config.toml:1"] {
            assert!(ended.said().contains(word), "{daemon} does not say {word}: {}", ended.said());
        }
        let checked = run(daemon, &["--check-config", "--config", &path.display().to_string()]).await?;
        assert_eq!(checked.code, Some(64), "{daemon} --check-config: {}", checked.said());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_configuration_passes_the_check_and_starts_nothing() -> anyhow::Result<()> {
    let files = Files::new()?;
    for (daemon, config) in files.daemons()? {
        let path = files.save(&config)?;
        let ended = run(daemon, &["--check-config", "--config", &path.display().to_string()]).await?;
        assert_eq!(ended.code, Some(0), "{daemon}: {}", ended.said());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_exit_69_with_the_address() -> anyhow::Result<()> {
    let files = Files::new()?;
    let east = &files.topology.clusters[0];
    let http = [files.topology.servers[0].http, east.agent_http, east.gateway_http];
    for ((daemon, config), taken) in files.daemons()?.into_iter().zip(http) {
        let _holder = TcpListener::bind(taken)?;
        let path = files.save(&config)?;
        let ended = run_daemon(daemon, &path).await?;
        assert_eq!(ended.code, Some(69), "{daemon}: {}", ended.said());
        assert!(
            ended.said().contains(&taken.to_string()),
            "{daemon} does not name {taken}: {}",
            ended.said()
        );
    }
    Ok(())
}
