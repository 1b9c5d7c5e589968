//! The servers: real processes on loopback, each of which knows the others by their proxies.

mod config;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use federation_client::AdminClient;
use federation_model::TrustDomain;
use multi_cluster_e2e_lab::admin;
use multi_cluster_e2e_lab::binaries::Binaries;
use multi_cluster_e2e_lab::ca::{self, write_secret};
use multi_cluster_e2e_lab::layout::{Layout, make_private, remove_all};
use multi_cluster_e2e_lab::observe::Observer;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::process::warden::Warden;
use multi_cluster_e2e_lab::process::{ProcessSpec, Status, Supervisor};
use multi_cluster_e2e_lab::wait::{Seen, until};
use tokio::process::Command;

use crate::network::{End, Network, Pids};

/// How long a server may take to answer after its start.
const READY: Duration = Duration::from_secs(60);
/// Lines of a log that an error shows.
const LOG_LINES: usize = 20;
/// The clusterset.
const CLUSTERSET: &str = "torture";

/// Where a server is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Where it listens for clients, and where these are told to dial.
    pub api: Address,
    /// Where it listens for other servers, and where these are told to dial.
    pub raft: Address,
    /// Its admin port.
    pub http: SocketAddr,
}

/// A port and the proxy in front of it.
#[derive(Debug, Clone, Copy)]
pub struct Address {
    /// The real one.
    pub real: SocketAddr,
    /// What everybody else dials.
    pub proxy: SocketAddr,
}

/// The servers of one federation.
#[derive(Debug)]
pub struct Servers {
    // Dropped in this order: first the processes, then what they write to.
    supervisor: Supervisor,
    layout: Layout,
    program: PathBuf,
    /// `isthmus`.
    command: PathBuf,
    observer: Observer,
    network: Network,
    pids: Pids,
    ports: Ports,
    clusterset: TrustDomain,
    places: BTreeMap<u64, Place>,
}

impl Servers {
    /// A directory, an authority and a warden; no server yet.
    ///
    /// # Errors
    /// If a program is missing or a file cannot be written.
    pub fn prepare(network: Network) -> anyhow::Result<Self> {
        let binaries = Binaries::locate()?;
        let (program, command) = (binaries.program("isthmus-server")?, binaries.program("isthmus")?);
        let supervisor = Supervisor::new(Warden::start(&binaries.program("isthmus-lab")?)?);
        let layout = Layout::temporary()?;
        for path in layout.removed_at_end() {
            supervisor.remove_on_death(path);
        }
        let clusterset: TrustDomain = CLUSTERSET.parse()?;
        make_private(&layout.root().join("logs"))?;
        ca::create(&layout, &clusterset)?;
        Ok(Self {
            supervisor,
            layout,
            program,
            command,
            observer: Observer::new()?,
            network,
            pids: Pids::default(),
            ports: Ports::new(PortChoice::Random),
            clusterset,
            places: BTreeMap::new(),
        })
    }

    /// Founds a federation of servers 1 to `count`, and waits until they are ready.
    ///
    /// # Errors
    /// If one does not become ready.
    pub async fn found(&mut self, count: u64) -> anyhow::Result<()> {
        for id in 1..=count {
            self.place(id).await?;
        }
        let members = self.members();
        for id in 1..=count {
            self.launch(id, &members, false)?;
        }
        for id in 1..=count {
            self.ready(id).await?;
        }
        Ok(())
    }

    /// Adds a server as an operator does: starts it empty, and waits until it votes.
    ///
    /// # Errors
    /// If it does not start, or the command refuses.
    pub async fn add(&mut self, id: u64) -> anyhow::Result<()> {
        self.place(id).await?;
        self.launch(id, &self.members(), true)?;
        let Place { api, raft, http } = self.at(id)?;
        // It is not ready before it is a member, but it answers.
        let look = || async { Ok(Seen::from_result(self.observer.get(http, "/livez").await)) };
        until(&format!("server {id} to live"), READY, look).await?;
        let (number, api, raft) = (id.to_string(), api.proxy.to_string(), raft.proxy.to_string());
        self.isthmus(&["members", "add", &number, "--api", &api, "--raft", &raft, "--promote"]).await?;
        self.ready(id).await
    }

    /// Removes a server as an operator does, and stops it.
    ///
    /// # Errors
    /// If the command refuses.
    pub async fn remove(&mut self, id: u64) -> anyhow::Result<()> {
        self.isthmus(&["members", "remove", &id.to_string()]).await?;
        self.stop(id).await?;
        self.places.remove(&id);
        Ok(())
    }

    /// Kills all servers for good, and founds a new federation of other ones, at other addresses, from a backup.
    ///
    /// # Errors
    /// If the backup is refused, or one of them does not become ready.
    pub async fn restore(&mut self, backup: &Path, ids: &[u64]) -> anyhow::Result<()> {
        for id in self.ids() {
            self.kill(id).await?;
        }
        self.places.clear();
        for id in ids {
            self.place(*id).await?;
        }
        let members = self.members();
        for id in ids {
            let data = self.data(*id);
            let words = [
                "snapshot",
                "restore",
                &backup.display().to_string(),
                "--data-dir",
                &data.display().to_string(),
            ];
            self.isthmus(&words).await?;
            self.launch(*id, &members, false)?;
        }
        for id in ids {
            self.ready(*id).await?;
        }
        Ok(())
    }

    fn data(&self, id: u64) -> PathBuf {
        self.layout.server(id).join("data")
    }

    /// Runs the operator's command line with these words; gives back what it printed.
    ///
    /// # Errors
    /// With what it said, if it says no or does not end.
    pub async fn isthmus(&self, words: &[&str]) -> anyhow::Result<String> {
        let servers: Vec<String> = self.addresses().into_values().collect();
        let run = Command::new(&self.command)
            .args(words)
            .env("ISTHMUS_SERVERS", servers.join(","))
            .env("ISTHMUS_IDENTITY", self.layout.admin())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let words = words.join(" ");
        let done = tokio::time::timeout(READY, run)
            .await
            .with_context(|| format!("`isthmus {words}` does not end"))?;
        let done = done.with_context(|| format!("cannot run {}", self.command.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !done.status.success() {
            bail!(
                "`isthmus {words}` ended with {}: {}{}",
                done.status,
                text(&done.stdout),
                text(&done.stderr)
            );
        }
        Ok(text(&done.stdout))
    }

    async fn place(&mut self, id: u64) -> anyhow::Result<()> {
        let mut pick = || self.ports.pick(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let (api, raft, http) = (pick()?, pick()?, pick()?);
        let end = End::Server(id);
        let place = Place {
            api: Address { real: api, proxy: self.network.proxy(end, api, None).await? },
            raft: Address {
                real: raft,
                proxy: self.network.proxy(end, raft, Some(self.pids.clone())).await?,
            },
            http,
        };
        self.places.insert(id, place);
        Ok(())
    }

    fn members(&self) -> Vec<(u64, Place)> {
        self.places.iter().map(|(id, place)| (*id, *place)).collect()
    }

    fn launch(&self, id: u64, members: &[(u64, Place)], join: bool) -> anyhow::Result<()> {
        let place = self.at(id)?;
        let dir = self.layout.server(id);
        make_private(&dir)?;
        let config = config::render(&config::Options {
            id,
            clusterset: &self.clusterset,
            data: self.data(id),
            ca: self.layout.ca(),
            place,
            members,
            join,
        })?;
        let path = dir.join("server.toml");
        write_secret(&path, &config)?;
        let name = name(id);
        let pid = self.supervisor.launch(ProcessSpec {
            log: self.layout.log(&name),
            name,
            program: self.program.clone(),
            args: vec![OsString::from("--config"), path.into()],
        })?;
        self.pids.set(id, pid);
        Ok(())
    }

    /// The numbers of all servers.
    pub fn ids(&self) -> Vec<u64> {
        self.places.keys().copied().collect()
    }

    /// Where a server is.
    ///
    /// # Errors
    /// If there is none of that number.
    pub fn at(&self, id: u64) -> anyhow::Result<Place> {
        self.places.get(&id).copied().with_context(|| format!("there is no server {id}"))
    }

    /// The clusterset that they serve.
    pub fn clusterset(&self) -> &TrustDomain {
        &self.clusterset
    }

    /// Where clients dial, by the number of the server.
    pub fn addresses(&self) -> BTreeMap<u64, String> {
        self.places.iter().map(|(id, place)| (*id, place.api.proxy.to_string())).collect()
    }

    /// An operator's client of the servers at these addresses.
    ///
    /// # Errors
    /// If the operator's certificate cannot be read.
    pub fn operator(&self, servers: &[SocketAddr]) -> anyhow::Result<AdminClient> {
        admin::operator(&self.layout.admin(), servers)
    }

    /// Kills a server: `kill -9`.
    ///
    /// # Errors
    /// If there is none of that number.
    pub async fn kill(&self, id: u64) -> anyhow::Result<()> {
        self.supervisor.stop(&name(id), true).await
    }

    /// Ends a server as an operator would: SIGTERM.
    ///
    /// # Errors
    /// If there is none of that number.
    pub async fn stop(&self, id: u64) -> anyhow::Result<()> {
        self.supervisor.stop(&name(id), false).await
    }

    /// Starts a server again that was killed or stopped; one that runs is left alone.
    ///
    /// # Errors
    /// If it cannot be started, or had ended by itself.
    pub fn start(&self, id: u64) -> anyhow::Result<()> {
        match self.supervisor.status(&name(id))? {
            Status::Running { .. } => Ok(()),
            Status::Stopped => {
                self.pids.set(id, self.supervisor.start(&name(id))?);
                Ok(())
            }
            Status::Exited { how } => bail!("server {id} ended by itself ({how})\n{}", self.log_tail(id)),
        }
    }

    /// Stops a server where it stands: SIGSTOP.
    ///
    /// # Errors
    /// If there is none of that number.
    pub async fn pause(&self, id: u64) -> anyhow::Result<()> {
        self.supervisor.pause(&name(id)).await
    }

    /// Lets a paused server go on: SIGCONT.
    ///
    /// # Errors
    /// If there is none of that number.
    pub async fn resume(&self, id: u64) -> anyhow::Result<()> {
        self.supervisor.resume(&name(id)).await
    }

    /// Waits until a server is ready.
    ///
    /// # Errors
    /// With the end of its log, if it ends instead or takes too long.
    pub async fn ready(&self, id: u64) -> anyhow::Result<()> {
        let http = self.at(id)?.http;
        let look = || async {
            if let Status::Exited { how } = self.supervisor.status(&name(id))? {
                bail!("it ended by itself ({how})");
            }
            Ok(Seen::from_result(self.observer.ready(http).await))
        };
        let waited = until(&format!("server {id} to be ready"), READY, look).await;
        waited.map(drop).map_err(|error| error.context(format!("the end of its log:\n{}", self.log_tail(id))))
    }

    /// The last lines that a server wrote.
    pub fn log_tail(&self, id: u64) -> String {
        let text = std::fs::read(self.layout.log(&name(id))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }

    /// Where everything is kept while the federation lives.
    pub fn directory(&self) -> &Path {
        self.layout.root()
    }

    /// Ends all servers and removes what they wrote.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub async fn down(&self) -> anyhow::Result<()> {
        for id in self.ids() {
            self.resume(id).await?;
        }
        self.supervisor.stop_all().await;
        for path in self.layout.removed_at_end() {
            remove_all(&path)?;
        }
        self.supervisor.leave().await;
        Ok(())
    }
}

fn name(id: u64) -> String {
    format!("server-{id}")
}
