//! The clients of all clusters.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use federation_client::{ItemState, PublishStatus};
use federation_kit::drain::{self, DrainTrigger};
use federation_model::{ClusterId, FederationView, ServiceId};
use multi_cluster_e2e_lab::lab::Lab;
use tokio::task::JoinSet;

use super::Options;
use super::member::{Member, NAMESPACE};
use super::progress::{Standing, watched};

/// How long clients may take to end.
const ENDING: Duration = Duration::from_secs(10);
/// How often joining is spoken of, in clusters.
const JOINED: usize = 50;

/// All clusters.
pub(super) struct Fleet {
    pub(super) members: Vec<Member>,
    /// What each of them sees when it sees everything.
    services: usize,
    running: Option<(JoinSet<anyhow::Result<()>>, DrainTrigger)>,
}

impl Fleet {
    /// Lets all clusters join, one after the other.
    pub(super) async fn join(lab: &Lab, options: &Options) -> anyhow::Result<Self> {
        eprintln!("joining {} clusters", options.clusters);
        let ids: Vec<ClusterId> =
            (0..options.clusters).map(|number| format!("c{number:04}").parse()).collect::<Result<_, _>>()?;
        let mut members = Vec::new();
        for number in 0..ids.len() {
            members.push(Member::join(lab, &ids, number, options).await?);
            if (number + 1) % JOINED == 0 {
                eprintln!("  {} have joined", number + 1);
            }
        }
        let services = options.services * (options.importers() + 1);
        Ok(Self { members, services, running: None })
    }

    /// Starts a client for every cluster, none of which knows anything.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let (trigger, watcher) = drain::channel();
        let mut clients = JoinSet::new();
        for member in &mut self.members {
            let client = member.start()?;
            let watcher = watcher.clone();
            clients.spawn(async move { client.run(watcher).await.map_err(Into::into) });
        }
        self.running = Some((clients, trigger));
        Ok(())
    }

    /// Ends all clients.
    pub(super) async fn stop(&mut self) {
        if let Some((mut clients, trigger)) = self.running.take() {
            trigger.drain(ENDING).await;
            clients.shutdown().await;
        }
        for member in &mut self.members {
            member.handle = None;
        }
    }

    /// Waits until every cluster sees everything that it may see.
    pub(super) async fn complete(&self) -> anyhow::Result<()> {
        let whole = async {
            for member in &self.members {
                member.handle()?.view.clone().wait_for(|view| self.is_whole(view)).await?;
            }
            Ok(())
        };
        let seen = |view: &FederationView| view.exports.len() + view.vips.len();
        let of = self.members.len() * self.services * 2;
        watched("pieces seen", of, whole, || {
            self.standing(|member| seen(&member.view()), |member| !self.is_whole(&member.view()))
        })
        .await
    }

    /// The lab's own cluster exports something too.
    fn is_whole(&self, view: &FederationView) -> bool {
        let ours = |service: &&ServiceId| service.namespace.as_str() == NAMESPACE;
        view.exports.len() >= self.services
            && view.vips.len() >= self.services
            && view.exports.keys().filter(ours).count() == self.services
            && view.vips.keys().filter(ours).count() == self.services
    }

    /// Waits until every cluster knows that what it exports is committed.
    pub(super) async fn published(&self) -> anyhow::Result<()> {
        let is_done =
            |status: &PublishStatus| status.synced.is_some() && status.exports.values().all(is_committed);
        let all = async {
            for member in &self.members {
                member.handle()?.publish.clone().wait_for(is_done).await?;
            }
            Ok(())
        };
        let committed =
            |status: &PublishStatus| status.exports.values().filter(|state| is_committed(state)).count();
        let of = self.members.iter().map(|member| member.services.len()).sum();
        watched("services committed", of, all, || {
            self.standing(|member| committed(&member.published()), |member| !is_done(&member.published()))
        })
        .await
    }

    /// How much of all there is, and what the first that lacks something says.
    fn standing(&self, have: impl Fn(&Member) -> usize, lacks: impl Fn(&Member) -> bool) -> Standing {
        let have = self.members.iter().map(have).sum();
        let slow = self.members.iter().find(|member| lacks(member)).map(Member::in_words);
        Standing { have, slow: slow.unwrap_or_default() }
    }

    /// Kills the leader and lets every cluster change a service at once. How long it takes from the kill until the
    /// first of these changes is committed, and until all are.
    pub(super) async fn survive_the_leader(&self, lab: &Lab) -> anyhow::Result<(Duration, Duration)> {
        let leader = lab.operator()?.status().await?.leader_id.context("there is no leader")?;
        let servers = &lab.topology().servers;
        let leader = servers.iter().find(|server| server.id == leader).context("a foreign leader")?;
        let killed = Instant::now();
        lab.stop(&leader.name(), true).await?;
        let mut waits = JoinSet::new();
        for member in &self.members {
            let Some(service) = member.services.first() else { continue };
            let mut publish = member.handle()?.publish.clone();
            let before = publish.borrow().exports.get(service).cloned();
            member.change(service, |export| {
                export.labels = BTreeMap::from([("leader".to_owned(), "killed".to_owned())])
            });
            let service = service.clone();
            waits.spawn(async move {
                let done = |status: &PublishStatus| {
                    let state = status.exports.get(&service);
                    state.is_some_and(|state| is_committed(state) && Some(state) != before.as_ref())
                };
                publish.wait_for(done).await?;
                anyhow::Ok(killed.elapsed())
            });
        }
        let of = waits.len();
        let took = std::sync::Mutex::new(Vec::new());
        let lock = || took.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let all = async {
            while let Some(waited) = waits.join_next().await {
                let waited = waited.context("a wait panicked")??;
                lock().push(waited);
            }
            Ok(())
        };
        let waiting = |member: &Member| !member.published().exports.values().all(is_committed);
        watched("changes committed", of, all, || Standing {
            have: lock().len(),
            ..self.standing(|_| 0, waiting)
        })
        .await?;
        let first = lock().iter().min().copied().context("nobody changed anything")?;
        let last = lock().iter().max().copied();
        Ok((first, last.unwrap_or(first)))
    }
}

fn is_committed(state: &ItemState) -> bool {
    matches!(state, ItemState::Committed { .. })
}
