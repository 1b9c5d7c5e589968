//! Servers, network and clients together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use federation_model::{ClusterId, Revision, ServiceId};
use multi_cluster_e2e_history::WatcherName;
use multi_cluster_e2e_lab::wait::{Seen, until};
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;

use crate::clients::agent::Agent;
use crate::clients::bare_watch::BareWatch;
use crate::clients::member::{Known, Member};
use crate::clients::objects::Objects;
use crate::clients::operator;
use crate::clients::writer::{Pace, Writer};
use crate::fault::Traffic;
use crate::network::{End, Network};
use crate::recorder::Recorder;
use crate::servers::Servers;

/// How long everything may take to settle once all faults are over.
const SETTLE: Duration = Duration::from_secs(60);

/// What to build.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Servers at first.
    pub servers: u64,
    /// Clusters.
    pub clusters: usize,
    /// Services; each cluster exports each of them, now and then.
    pub services: usize,
    /// Whether bare watches go from server to server of their own accord.
    pub restless: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { servers: 3, clusters: 4, services: 3, restless: true }
    }
}

/// A federation under load.
#[derive(Debug)]
pub struct Federation {
    // Dropped in this order: first whoever talks, then to whom.
    writers: JoinSet<()>,
    bare: Vec<BareWatch>,
    clusters: Vec<Cluster>,
    /// The processes.
    pub servers: Servers,
    /// What they talk through.
    pub network: Network,
    /// What clients were told.
    pub recorder: Recorder,
    known: Known,
    pace: watch::Sender<Pace>,
    busy: watch::Sender<usize>,
}

#[derive(Debug)]
struct Cluster {
    member: Arc<Member>,
    objects: Arc<Objects>,
    agent: Arc<RwLock<Agent>>,
    agents: u64,
}

impl Federation {
    /// Founds a federation, lets the clusters join and begins to write and watch.
    ///
    /// # Errors
    /// If anything of it does not start. Nothing is left behind.
    pub async fn up(plan: &Plan) -> anyhow::Result<Self> {
        let network = Network::default();
        let mut servers = Servers::prepare(network.clone())?;
        if let Err(error) = servers.found(plan.servers).await {
            servers.down().await?;
            return Err(error);
        }
        let known = Known::new(servers.addresses())?;
        let mut federation = Self {
            writers: JoinSet::new(),
            bare: Vec::new(),
            clusters: Vec::new(),
            servers,
            network,
            recorder: Recorder::default(),
            known,
            pace: watch::Sender::new(Pace::Write),
            busy: watch::Sender::new(0),
        };
        if let Err(error) = federation.populate(plan).await {
            federation.down().await?;
            return Err(error);
        }
        Ok(federation)
    }

    async fn populate(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let ids = (1..=plan.clusters).map(|number| format!("c{number}").parse());
        let ids = Arc::new(ids.collect::<Result<Vec<ClusterId>, _>>()?);
        let services = (1..=plan.services).map(|number| format!("demo/s{number}").parse());
        let services = services.collect::<Result<Vec<ServiceId>, _>>()?;
        for (number, id) in ids.iter().enumerate() {
            let member = Arc::new(Member::join(&self.servers, self.known.clone(), id.clone()).await?);
            let objects = Arc::new(Objects::new(id.clone(), self.servers.clusterset(), number)?);
            let agent = Agent::start(&member, 1, objects.subscribe(), &self.recorder)?;
            let agent = Arc::new(RwLock::new(agent));
            self.bare.push(BareWatch::start(Arc::clone(&member), plan.restless, self.recorder.clone()));
            for service in &services {
                let writer = Writer {
                    service: service.clone(),
                    objects: Arc::clone(&objects),
                    agent: Arc::clone(&agent),
                    clusters: Arc::clone(&ids),
                    recorder: self.recorder.clone(),
                    pace: self.pace.subscribe(),
                    busy: self.busy.clone(),
                };
                self.writers.spawn(writer.run());
            }
            self.clusters.push(Cluster { member, objects, agent, agents: 1 });
        }
        Ok(())
    }

    /// How many agents there are at a time.
    pub fn agents(&self) -> usize {
        self.clusters.len()
    }

    /// Ends all faults, and reads every server's catalogue while no client can repair it: an agent that comes back says
    /// everything again, and what servers have forgotten would be there again before anybody looked.
    ///
    /// # Errors
    /// If a server has not what was acknowledged.
    pub async fn examine(&self) -> anyhow::Result<()> {
        self.network.heal();
        self.clients(Traffic::Refused);
        let read = async {
            self.all_running().await?;
            self.recorder.settled(self.read_all().await?);
            anyhow::Ok(())
        };
        let read = read.await;
        self.clients(Traffic::Open);
        read
    }

    async fn all_running(&self) -> anyhow::Result<()> {
        for id in self.servers.ids() {
            self.servers.resume(id).await?;
            self.servers.start(id)?;
        }
        for id in self.servers.ids() {
            self.servers.ready(id).await?;
        }
        Ok(())
    }

    /// Waits until every server has reached what was acknowledged, and reads its catalogue.
    async fn read_all(&self) -> anyhow::Result<Vec<WatcherName>> {
        let told = self.recorder.told();
        let mut readers = Vec::new();
        for id in self.servers.ids() {
            let look = || async {
                Ok(match operator::read(&self.servers, id, told, &self.recorder).await {
                    Ok(at) if at >= told => Seen::Done(()),
                    Ok(at) => Seen::NotYet(format!("it is at {at}")),
                    Err(error) => Seen::NotYet(format!("{error:#}")),
                })
            };
            until(&format!("server {id} to have revision {told}, which was acknowledged"), SETTLE, look)
                .await?;
            readers.push(operator::reader_of(id));
        }
        Ok(readers)
    }

    /// Adds a server, and tells clients of it: agents hear of servers when they renew, which takes longer than a round.
    ///
    /// # Errors
    /// If it cannot be added.
    pub async fn add_server(&mut self, id: u64) -> anyhow::Result<()> {
        self.servers.add(id).await?;
        self.known.set(self.servers.addresses())
    }

    /// Removes a server, and tells clients of it.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub async fn remove_server(&mut self, id: u64) -> anyhow::Result<()> {
        self.servers.remove(id).await?;
        self.known.set(self.servers.addresses())
    }

    /// Replaces all servers by other ones that begin with a backup, reads what these have before any client knows of them,
    /// and then tells clients.
    ///
    /// # Errors
    /// If a new server lacks what was acknowledged.
    pub async fn move_to(&mut self, backup: &Path, servers: &[u64]) -> anyhow::Result<()> {
        self.servers.restore(backup, servers).await?;
        self.recorder.settled(self.read_all().await?);
        self.known.set(self.servers.addresses())
    }

    /// Kills an agent without a word to anybody, and starts another one that knows nothing.
    ///
    /// # Errors
    /// If there is none of that number, or none can be started.
    pub async fn replace_agent(&mut self, number: usize) -> anyhow::Result<()> {
        let cluster = self.clusters.get_mut(number).with_context(|| format!("there is no agent {number}"))?;
        // Writers that are about to write have the lock: whatever they said, the next agent is told.
        let mut agent = cluster.agent.write().await;
        cluster.agents += 1;
        *agent = Agent::start(&cluster.member, cluster.agents, cluster.objects.subscribe(), &self.recorder)?;
        Ok(())
    }

    /// Ends all faults, lets everything that was begun be acknowledged, and waits until everybody has seen everything.
    /// Writers rest afterwards.
    ///
    /// # Errors
    /// If that takes too long: somebody was forgotten.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.network.heal();
        self.all_running().await?;
        self.pace.send_replace(Pace::Rest);
        let mut busy = self.busy.subscribe();
        let Ok(rested) = tokio::time::timeout(SETTLE, busy.wait_for(|busy| *busy == 0)).await else {
            let waiting = *self.busy.borrow();
            bail!("{waiting} writes are not acknowledged within {SETTLE:?} after all faults were over");
        };
        rested?;
        self.recorder.writers_rest();
        let told = self.recorder.told();
        let mut watchers: Vec<WatcherName> = self.bare.iter().map(|bare| bare.watcher.clone()).collect();
        for cluster in &self.clusters {
            watchers.push(cluster.agent.read().await.watcher.clone());
        }
        for watcher in &watchers {
            let look = || async {
                let at = self.recorder.position(watcher);
                Ok(if at >= told { Seen::Done(()) } else { Seen::NotYet(format!("it is at {at}")) })
            };
            until(&format!("{watcher} to reach revision {told}"), SETTLE, look).await?;
        }
        watchers.extend(self.read_all().await?);
        self.recorder.settled(watchers);
        Ok(())
    }

    /// Waits until a write is acknowledged that happened after `revision`.
    ///
    /// # Errors
    /// If none is for long.
    pub async fn writes_beyond(&self, revision: Revision) -> anyhow::Result<()> {
        let look = || async {
            let told = self.recorder.told();
            Ok(if told > revision { Seen::Done(()) } else { Seen::NotYet(format!("revision {told}")) })
        };
        until(&format!("a write after revision {revision}"), SETTLE, look).await.map(drop)
    }

    /// Lets writers write.
    pub fn write(&self) {
        self.pace.send_replace(Pace::Write);
    }

    /// Lets clients talk to a server again, or not.
    pub fn clients_of(&self, server: u64, traffic: Traffic) {
        self.network.set(End::Clients, End::Server(server), traffic);
        self.network.set(End::Server(server), End::Clients, traffic);
    }

    fn clients(&self, traffic: Traffic) {
        for id in self.servers.ids() {
            self.clients_of(id, traffic);
        }
    }

    /// Ends everything; nothing is left.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub async fn down(mut self) -> anyhow::Result<()> {
        self.writers.shutdown().await;
        self.bare.clear();
        self.clusters.clear();
        self.servers.down().await
    }
}
