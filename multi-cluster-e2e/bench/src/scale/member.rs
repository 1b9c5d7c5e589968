//! The client of one cluster, and what it exports.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, ensure};
use federation_client::{
    AgentClient, AgentConfig, AgentHandle, Desired, ItemState, PublishStatus, Servers, Timing, join,
};
use federation_model::command::Registration;
use federation_model::export::{InternalTrafficPolicy, Locality, Protocol, SessionAffinity};
use federation_model::{
    ClusterId, Export, ExportKind, ExportScope, FederationView, Generation, IpFamily, MtlsMode, Revision,
    ServiceId, ServicePort, TrustDomain, UnixMillis,
};
use federation_trust::{BundleSet, PrivateKey, SharedBundles, SharedIdentity};
use multi_cluster_e2e_lab::lab::Lab;
use tokio::sync::watch;

use super::Options;

/// How long a join token is good for: each is used at once.
const TOKEN_SECONDS: u64 = 600;
/// Of all services.
pub(super) const NAMESPACE: &str = "scale";
/// Zones of each service.
const ZONES: u32 = 2;

/// One cluster.
pub(super) struct Member {
    pub(super) id: ClusterId,
    /// Its services, in order.
    pub(super) services: Vec<ServiceId>,
    desired: watch::Sender<Arc<Desired>>,
    applied: watch::Sender<Revision>,
    membership: Membership,
    pub(super) handle: Option<AgentHandle>,
}

struct Membership {
    servers: Servers,
    identity: SharedIdentity,
    bundles: SharedBundles,
    clusterset: TrustDomain,
}

impl Member {
    pub(super) async fn join(
        lab: &Lab,
        ids: &[ClusterId],
        number: usize,
        options: &Options,
    ) -> anyhow::Result<Self> {
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
                Ok(ServiceId { namespace: NAMESPACE.parse()?, name })
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

    pub(super) fn start(&mut self) -> anyhow::Result<AgentClient> {
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

    /// What the running client sees.
    pub(super) fn view(&self) -> Arc<FederationView> {
        self.handle.as_ref().map(|handle| Arc::clone(&handle.view.borrow())).unwrap_or_default()
    }

    /// What became of what the running client published.
    pub(super) fn published(&self) -> PublishStatus {
        self.handle.as_ref().map(|handle| handle.publish.borrow().clone()).unwrap_or_default()
    }

    /// What the running client says of itself.
    pub(super) fn in_words(&self) -> String {
        let Some(handle) = &self.handle else { return format!("{} does not run", self.id) };
        let (view, publish) = (self.view(), self.published());
        let mut text = format!("{} sees {} services", self.id, view.exports.len());
        let committed = |state: &&ItemState| matches!(state, ItemState::Committed { .. });
        let refused = |state: &ItemState| match state {
            ItemState::Refused { message, .. } => Some(message.clone()),
            ItemState::Pending | ItemState::Committed { .. } => None,
        };
        let own = publish.exports.values();
        text +=
            &format!(", {} of its own {} are committed", own.clone().filter(committed).count(), own.len());
        let said = [
            ("registration", refused(&publish.registration)),
            ("an export", own.clone().find_map(refused)),
            ("publish", publish.problem.clone()),
            ("watch", handle.upstream.borrow().problem.clone()),
            ("report", handle.lease.borrow().problem.clone()),
        ];
        for (what, problem) in said {
            text += &problem.map(|problem| format!("; {what}: {problem}")).unwrap_or_default();
        }
        text
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
