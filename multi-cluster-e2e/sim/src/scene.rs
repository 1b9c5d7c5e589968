//! Everybody who takes part in a run, and what can be done to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use federation_client::Desired;
use federation_model::{ClusterId, Revision, ServerId};
use federation_raft::seams::Bug;
use federation_raft::{Member, MemberRole, Node};

use crate::agent::{self, Agent, Door, Doors, version};
use crate::chance::Chance;
use crate::invariants::{Property, Violation, acknowledged, views};
use crate::members::{Members, SPARES};
use crate::oracle::Oracle;
use crate::papers::Papers;
use crate::plan::Plan;
use crate::world::disk::{Platter, Speed};
use crate::world::net::Net;
use crate::world::server::{Server, Settings};

/// Everybody. One thread runs all of them; locks are never held over an await.
#[derive(Debug)]
pub struct Scene {
    /// Between them.
    pub net: Net,
    /// Chance.
    pub chance: Chance,
    /// Who knows everything.
    pub oracle: Oracle,
    /// Who the servers are.
    pub members: Members,
    doors: Doors,
    servers: Vec<tokio::sync::Mutex<Server>>,
    nodes: Mutex<BTreeMap<usize, Node>>,
    platters: Vec<Platter>,
    clusters: Vec<(ClusterId, agent::Papers)>,
    agents: Mutex<Agents>,
    seats: Vec<Member>,
}

/// The agents that run, by cluster; the last of each is the newest.
#[derive(Debug, Default)]
pub struct Agents {
    by_cluster: Vec<Vec<Agent>>,
    started: u64,
}

impl Scene {
    /// Everybody, before anybody starts.
    #[must_use]
    pub fn new(plan: &Plan, papers: Papers, chance: Chance, oracle: Oracle, bug: Option<Bug>) -> Self {
        let net = Net::new(chance.clone());
        let seat = |id| Member { api: format!("server-{id}:7400"), raft: format!("server-{id}:7401") };
        let seats: Vec<Member> = (1..=plan.servers + SPARES).map(seat).collect();
        let all: BTreeMap<ServerId, Member> = (1..).map(ServerId).zip(seats.iter().cloned()).collect();
        let settings =
            Settings { snapshot_every: plan.snapshot_every, changes: plan.changes, bug, join: false };
        let platters: Vec<Platter> = seats.iter().map(|_| Platter::new(chance.clone())).collect();
        let servers = papers.servers.into_iter().zip(&platters).zip(1..).map(|((trust, platter), id)| {
            // A spare one is told of all, so that it finds some.
            let (join, known) =
                (id > plan.servers as u64, if id > plan.servers as u64 { all.len() } else { plan.servers });
            let members = all.clone().into_iter().take(known).collect();
            let settings = Settings { join, ..settings.clone() };
            let server = Server::new(id, platter.clone(), trust, members, settings);
            tokio::sync::Mutex::new(server)
        });
        let agents = Agents { by_cluster: papers.clusters.iter().map(|_| Vec::new()).collect(), started: 0 };
        Self {
            net,
            chance,
            oracle,
            members: Members::new(plan.servers),
            doors: Doors::default(),
            servers: servers.collect(),
            nodes: Mutex::default(),
            platters,
            clusters: papers.clusters,
            agents: Mutex::new(agents),
            seats,
        }
    }

    /// How many servers there are.
    #[must_use]
    pub fn server_count(&self) -> usize {
        self.servers.len()
    }

    /// The clusters, by number.
    #[must_use]
    pub fn clusters(&self) -> Vec<ClusterId> {
        self.clusters.iter().map(|(cluster, _)| cluster.clone()).collect()
    }

    /// What a server is called.
    #[must_use]
    pub fn server_id(&self, number: usize) -> ServerId {
        ServerId(number as u64 + 1)
    }

    /// Where a server is.
    #[must_use]
    pub fn member(&self, number: usize) -> Member {
        self.seats.get(number).cloned().unwrap_or_default()
    }

    /// Starts everybody: all servers, and one agent of each cluster.
    ///
    /// # Errors
    /// When a server does not start.
    pub async fn begin(&self) -> Result<(), Violation> {
        for server in 0..self.servers.len() {
            self.start(server).await?;
        }
        for cluster in 0..self.clusters.len() {
            self.start_agent(cluster);
        }
        Ok(())
    }

    /// Starts a server that is down; one that runs goes on, and one that is no member stays away.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&self, number: usize) -> Result<(), Violation> {
        let Some(server) = self.servers.get(number) else { return Ok(()) };
        let mut server = server.lock().await;
        if server.life().is_some() || !self.members.present().contains(&number) {
            return Ok(());
        }
        let (id, life) = (server.id, server.next_life());
        self.oracle.note(format!("server {id} starts"));
        let started = server.start(&self.net, self.oracle.witness(id, life)).await;
        started.map_err(|error| {
            let error = federation_kit::exit::chain(&error).to_string();
            Violation::of(Property::Starts, format!("server {id} does not start: {error}"))
        })?;
        let Some(life) = server.life() else { return Ok(()) };
        if let Some(seat) = self.seats.get(number) {
            let door = Door { server: id, accept: life.accept.clone(), alive: life.alive.clone() };
            self.doors.open(seat.api.clone(), door);
        }
        self.nodes().insert(number, life.node.clone());
        tokio::spawn(follow_leadership(self.oracle.clone(), life.node.clone(), life.alive.clone()));
        Ok(())
    }

    /// Crashes a server.
    pub async fn crash(&self, number: usize) {
        let Some(server) = self.servers.get(number) else { return };
        self.nodes().remove(&number);
        let mut server = server.lock().await;
        self.oracle.note(format!("server {} crashes", server.id));
        server.crash(&self.net);
    }

    /// A server crashes, and its disk is replaced by an empty one.
    pub async fn lose_disk(&self, number: usize) {
        self.crash(number).await;
        if let Some(server) = self.servers.get(number) {
            let mut server = server.lock().await;
            self.oracle.note(format!("server {} loses its disk", server.id));
            server.lose_disk();
        }
    }

    /// A server's clock jumps.
    pub async fn jump(&self, number: usize, millis: i64) {
        if let Some(server) = self.servers.get(number) {
            server.lock().await.jump(millis);
        }
    }

    /// A server's disk is so fast from now on.
    pub fn set_speed(&self, number: usize, speed: Speed) {
        if let Some(platter) = self.platters.get(number) {
            platter.set_speed(speed);
        }
    }

    /// Whether a server's disk has room, from now on.
    pub fn set_full(&self, number: usize, full: bool) {
        if let Some(platter) = self.platters.get(number) {
            platter.set_full(full);
        }
    }

    /// The running servers, by number.
    pub fn nodes(&self) -> MutexGuard<'_, BTreeMap<usize, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who leads, by its own word.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        self.nodes().iter().find(|(_, node)| node.leadership().borrow().is_leader()).map(|(at, _)| *at)
    }

    fn agents(&self) -> MutexGuard<'_, Agents> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more agent of a cluster. It wants what the one before it wanted.
    pub fn start_agent(&self, number: usize) {
        let Some((cluster, papers)) = self.clusters.get(number) else { return };
        let agents = &mut *self.agents();
        agents.started += 1;
        let Some(registration) = agent::registration(cluster, agents.started) else { return };
        let Some(running) = agents.by_cluster.get_mut(number) else { return };
        let exports = running.last().map(|last| last.desired.borrow().exports.clone()).unwrap_or_default();
        let desired = Desired { registration, bundle: None, exports };
        self.oracle.note(format!("agent {cluster}/{} starts", agents.started));
        let stage = (&self.net, &self.doors, &self.oracle);
        let who = (number, agents.started);
        let addresses = self.seats.iter().map(|seat| seat.api.clone()).collect();
        running.push(Agent::start(stage, who, papers, addresses, desired));
    }

    /// All agents of a cluster but the newest are killed.
    pub fn kill_rivals(&self, number: usize) {
        if let Some(running) = self.agents().by_cluster.get_mut(number)
            && let Some(newest) = running.pop()
        {
            for agent in running.drain(..) {
                self.oracle.note(format!("agent {} is killed", agent.name));
            }
            running.push(newest);
        }
    }

    /// Changes what some agent of a cluster wants.
    pub fn desire(&self, number: usize, change: impl FnOnce(&ClusterId, &mut Desired)) {
        let agents = self.agents();
        let Some(running) = agents.by_cluster.get(number) else { return };
        let Some(at) = self.chance.pick(&(0..running.len()).collect::<Vec<_>>()) else { return };
        if let Some(agent) = running.get(at) {
            let mut desired = Desired::clone(&agent.desired.borrow());
            change(&agent.cluster, &mut desired);
            agent.desired.send_replace(Arc::new(desired));
        }
    }

    /// Nothing is wrong any more: everything runs, everybody reaches everybody, each cluster has one agent.
    ///
    /// # Errors
    /// When a server does not start.
    pub async fn heal(&self) -> Result<(), Violation> {
        self.oracle.note("everything heals");
        self.net.heal();
        for number in 0..self.servers.len() {
            self.set_speed(number, Speed::FAST);
            self.set_full(number, false);
            self.start(number).await?;
        }
        for number in 0..self.clusters.len() {
            self.kill_rivals(number);
        }
        Ok(())
    }

    /// In what the participants still differ; none when all know the same, and all that is wanted.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        if let Some(change) = self.members.under_way() {
            return Some(format!("the operator is at {change:?}"));
        }
        let present: Vec<_> = self.members.present().iter().map(|at| self.server_id(*at)).collect();
        for node in self.nodes().values() {
            let members = node.status().members;
            let voters: Vec<_> = members
                .iter()
                .filter(|member| member.role != MemberRole::Learner)
                .map(|member| member.id)
                .collect();
            if voters != present {
                return Some(format!("server {} knows {voters:?} as voters and not {present:?}", node.id()));
            }
        }
        let states: Vec<_> =
            self.nodes().iter().map(|(at, node)| (*at, node.read(|state, _| state.clone()))).collect();
        let (_, first) = states.first()?;
        for (at, state) in &states {
            if state.revision() != first.revision() {
                return Some(format!(
                    "server {} is at {} and not at {}",
                    at + 1,
                    state.revision(),
                    first.revision()
                ));
            }
        }
        for agent in self.agents().by_cluster.iter().flatten() {
            let view = Arc::clone(&agent.handle.view.borrow());
            let due = views::of(first, &agent.cluster);
            if let Some(difference) = views::difference(&due, &view) {
                return Some(format!("{} sees {difference}", agent.name));
            }
            let wanted: Vec<_> = agent
                .desired
                .borrow()
                .exports
                .values()
                .map(|export| (export.service.clone(), version(export)))
                .collect();
            let there = first.exports().filter(|export| export.cluster == agent.cluster);
            let there: Vec<_> = there.map(|export| (export.service.clone(), version(export))).collect();
            if wanted != there {
                return Some(format!("{} wants {wanted:?} and the catalogue has {there:?}", agent.name));
            }
        }
        None
    }

    /// Everybody agrees: what was acknowledged must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn the_end(&self) -> Result<(), Violation> {
        let last = self.nodes().values().map(|node| *node.applied().borrow()).min();
        acknowledged::in_the_end(&self.oracle.history(), last.unwrap_or(Revision(0)))
    }

    /// Writes that crashes took from disks.
    #[must_use]
    pub fn lost_writes(&self) -> u64 {
        self.platters.iter().map(Platter::lost).sum()
    }

    /// Waits so long, then starts a server.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_after(&self, number: usize, down: Duration) -> Result<(), Violation> {
        tokio::time::sleep(down).await;
        self.start(number).await
    }
}

async fn follow_leadership(oracle: Oracle, node: Node, mut alive: tokio::sync::watch::Receiver<bool>) {
    let mut leadership = node.leadership();
    let follow = async {
        loop {
            let seen = leadership.borrow_and_update().clone();
            if seen.is_leader() {
                oracle.leads(seen.me.0, seen.term);
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        _ = alive.wait_for(|alive| !alive) => {}
        failure = node.failed() => {
            let what = format!("server {} has stopped: {failure}", node.id());
            oracle.report(Violation::of(Property::Sound, what));
        }
        () = follow => {}
    }
}
