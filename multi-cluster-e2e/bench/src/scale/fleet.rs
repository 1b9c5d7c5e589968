//! The clients of all clusters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use federation_client::{
    AgentClient, AgentConfig, AgentHandle, Desired, ItemState, PublishStatus, Servers, Timing, join,
};
use federation_kit::drain::{self, DrainTrigger};
use federation_model::command::Registration;
use federation_model::export::{InternalTrafficPolicy, Locality, Protocol, SessionAffinity};
use federation_model::{
    ClusterId, Export, ExportKind, ExportScope, FederationView, Generation, IpFamily, MtlsMode, Revision,
    ServiceId, ServicePort, UnixMillis,
};
use federation_trust::{BundleSet, PrivateKey, SharedBundles, SharedIdentity};
use multi_cluster_e2e_lab::lab::Lab;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Options;

/// How long a join token is good for: each is used at once.
const TOKEN_SECONDS: u64 = 600;
/// How long all clusters may take to agree.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long clients may take to end.
const ENDING: Duration = Duration::from_secs(10);
/// Zones of each service.
const ZONES: u32 = 2;

/// All clusters.
pub(super) struct Fleet {
    pub(super) members: Vec<Member>,
    /// What each of them sees when it sees everything.
    services: usize,
    running: Option<(JoinSet<anyhow::Result<()>>, DrainTrigger)>,
}

/// One cluster.
pub(super) struct Member {
    pub(super) id: ClusterId,
    /// Its services, in order.
    pub(super) services: Vec<ServiceId>,
    desired: watch::Sender<Arc<Desired>>,
    applied: watch::Sender<Revision>,
    membership: Membership,
    handle: Option<AgentHandle>,
}

struct Membership {
    servers: Servers,
    identity: SharedIdentity,
    bundles: SharedBundles,
    clusterset: federation_model::TrustDomain,
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
        let begun = Instant::now();
        for member in &self.members {
            let mut view = member.handle()?.view.clone();
            let whole =
                view.wait_for(|view| view.exports.len() == self.services && view.vips.len() == self.services);
            let waited = timeout(PATIENCE.saturating_sub(begun.elapsed()), whole).await;
            let waited = waited.map(|seen| seen.map(drop));
            let sees = member.handle()?.view.borrow().exports.len();
            waited.map_err(|_| anyhow!("{} sees {sees} of {} services", member.id, self.services))??;
        }
        Ok(())
    }

    /// Waits until every cluster knows that what it exports is committed.
    pub(super) async fn published(&self) -> anyhow::Result<()> {
        for member in &self.members {
            let mut publish = member.handle()?.publish.clone();
            let done = publish
                .wait_for(|status| status.synced.is_some() && status.exports.values().all(is_committed));
            timeout(PATIENCE, done).await.with_context(|| format!("{} does not publish", member.id))??;
        }
        Ok(())
    }

    /// Kills the leader and lets every cluster change a service at once. How long it takes from the kill until the
    /// first of these changes is committed, and until all are.
    pub(super) async fn survive_the_leader(&self, lab: &Lab) -> anyhow::Result<(Duration, Duration)> {
        let leader = lab.operator()?.status().await?.leader_id.context("there is no leader")?;
        let servers = &lab.topology().servers;
        let leader = servers.iter().find(|server| server.id == leader).context("a foreign leader")?;
        lab.stop(&leader.name(), true).await?;
        let killed = Instant::now();
        let mut waits = JoinSet::new();
        for member in &self.members {
            let Some(service) = member.services.first() else { continue };
            let mut publish = member.handle()?.publish.clone();
            let before = publish.borrow().exports.get(service).cloned();
            member.change(service, |export| {
                export.labels = BTreeMap::from([("leader".to_owned(), "killed".to_owned())])
            });
            let (id, service) = (member.id.clone(), service.clone());
            waits.spawn(async move {
                let done = |status: &PublishStatus| {
                    status
                        .exports
                        .get(&service)
                        .is_some_and(|state| is_committed(state) && Some(state) != before.as_ref())
                };
                timeout(PATIENCE, publish.wait_for(done))
                    .await
                    .with_context(|| format!("{id} does not publish"))??;
                anyhow::Ok(killed.elapsed())
            });
        }
        let mut took = Vec::new();
        while let Some(waited) = waits.join_next().await {
            took.push(waited??);
        }
        let first = took.iter().min().copied().context("nobody changed anything")?;
        Ok((first, took.iter().max().copied().unwrap_or(first)))
    }
}

fn is_committed(state: &ItemState) -> bool {
    matches!(state, ItemState::Committed { .. })
}

impl Member {
    async fn join(lab: &Lab, ids: &[ClusterId], number: usize, options: &Options) -> anyhow::Result<Self> {
        let id = ids.get(number).cloned().context("no such cluster")?;
        let token = lab.operator()?.create_token(&id, TOKEN_SECONDS).await?.token.parse()?;
        let addresses = lab.topology().api_addresses().iter().map(ToString::to_string).collect();
        let servers = Servers::new(addresses)?;
        let joined = join(&servers, &token, &PrivateKey::generate()?, &Timing::default()).await?;
        let (bundles, _) = BundleSet::from_bundles([&joined.bundle]);
        let scope = scope(ids, number, options);
        let services: Vec<ServiceId> = (0..options.services)
            .map(|service| {
                let name = format!("s{number:04}-{service:04}").parse()?;
                Ok(ServiceId { namespace: "scale".parse()?, name })
            })
            .collect::<anyhow::Result<_>>()?;
        let exports = services.iter().map(|service| {
            let export = export(&id, service, scope.clone(), options.endpoints)?;
            Ok((service.clone(), Arc::new(export)))
        });
        let desired = Desired {
            registration: Registration {
                cluster: id.clone(),
                instance: format!("{number:032x}").parse()?,
                network: "n".parse()?,
                region: None,
                zone: None,
                trust_domain: format!("{id}.{}", joined.clusterset).parse()?,
                gateways: Vec::new(),
            },
            bundle: None,
            exports: exports.collect::<anyhow::Result<_>>()?,
        };
        let membership = Membership {
            servers,
            identity: SharedIdentity::new(joined.identity),
            bundles: SharedBundles::new(bundles),
            clusterset: joined.clusterset,
        };
        let (desired, applied) = (watch::Sender::new(Arc::new(desired)), watch::Sender::new(Revision(0)));
        Ok(Self { id, services, desired, applied, membership, handle: None })
    }

    fn start(&mut self) -> anyhow::Result<AgentClient> {
        let Membership { servers, identity, bundles, clusterset } = &self.membership;
        let config = AgentConfig {
            servers: servers.clone(),
            identity: identity.clone(),
            bundles: bundles.clone(),
            clusterset: clusterset.clone(),
            store: None,
            view: FederationView::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timing: Timing::default(),
        };
        let (client, handle) = AgentClient::new(config, self.desired.subscribe(), self.applied.subscribe())?;
        self.handle = Some(handle);
        Ok(client)
    }

    /// Of the running client.
    pub(super) fn handle(&self) -> anyhow::Result<&AgentHandle> {
        self.handle.as_ref().context("the clients do not run")
    }

    /// Hands the client another desired set, in which one service differs.
    pub(super) fn change(&self, service: &ServiceId, change: impl FnOnce(&mut Export)) {
        self.desired.send_modify(|desired| {
            if let Some(export) = Arc::make_mut(desired).exports.get_mut(service) {
                change(Arc::make_mut(export));
            }
        });
    }
}

/// The next clusters in a ring, so that every cluster imports as much as every other.
fn scope(ids: &[ClusterId], number: usize, options: &Options) -> ExportScope {
    match options.scope {
        None => ExportScope::All,
        Some(_) => {
            let next = ids.iter().cycle().skip(number + 1).take(options.importers());
            ExportScope::Clusters(next.cloned().collect())
        }
    }
}

fn export(
    cluster: &ClusterId,
    service: &ServiceId,
    scope: ExportScope,
    endpoints: u32,
) -> anyhow::Result<Export> {
    Ok(Export {
        cluster: cluster.clone(),
        service: service.clone(),
        first_seen: UnixMillis(0),
        generation: Generation(0),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: Some("http".parse()?),
            protocol: Protocol::Tcp,
            app_protocol: None,
            port: std::num::NonZeroU16::new(80).context("zero")?,
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: InternalTrafficPolicy::Cluster,
        traffic_distribution: None,
        ip_families: [IpFamily::IPv4].into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope,
        mtls: MtlsMode::Gateway,
        localities: localities(cluster, endpoints, endpoints)?,
        endpoints: Vec::new(),
    })
}

/// So many endpoints in two zones, of which so many are ready.
pub(super) fn localities(cluster: &ClusterId, endpoints: u32, ready: u32) -> anyhow::Result<Vec<Locality>> {
    ensure!(ready <= endpoints, "more are ready than there are");
    let share = |number: u32, zone: u32| number / ZONES + u32::from(zone < number % ZONES);
    (0..ZONES.min(endpoints))
        .map(|zone| {
            let name = format!("{cluster}-{zone}").parse()?;
            Ok(Locality { zone: Some(name), ready: share(ready, zone), total: share(endpoints, zone) })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_the_ready_ones_are_shared_out_over_the_zones() {
        let cluster = "c".parse().unwrap();
        for endpoints in 1..12 {
            for ready in 0..=endpoints {
                let localities = localities(&cluster, endpoints, ready).unwrap();
                let sum = |of: fn(&Locality) -> u32| localities.iter().map(of).sum::<u32>();
                assert_eq!((sum(|l| l.ready), sum(|l| l.total)), (ready, endpoints));
                assert!(localities.iter().all(|l| l.ready <= l.total));
            }
        }
    }

    #[test]
    fn a_scope_names_the_next_clusters_around() {
        let ids: Vec<ClusterId> = ["a", "b", "c"].map(|id| id.parse().unwrap()).to_vec();
        let options =
            |scope| Options { clusters: 3, services: 1, endpoints: 1, changes: 1, seconds: 1, scope };
        assert_eq!(scope(&ids, 2, &options(None)), ExportScope::All);
        let named =
            |names: [&str; 2]| ExportScope::Clusters(names.iter().map(|id| id.parse().unwrap()).collect());
        assert_eq!(scope(&ids, 2, &options(Some(2))), named(["a", "b"]));
        assert_eq!(scope(&ids, 2, &options(Some(9))), named(["a", "b"]));
    }
}
