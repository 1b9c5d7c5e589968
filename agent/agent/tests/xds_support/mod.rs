//! What the xDS tests share: certificates made on the fly, configurations, an agent's local API, servers and Envoys.

#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part of this")]

pub mod envoy;
pub mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use agent_agent::control::{ConfigSender, LocalApi, LocalAuthority, config};
use agent_agent::xds::{NodeMeta, XdsStatus};
use federation_kit::grpc::LocalAddr;
use federation_model::data_plane::{
    AppProtocol, ExpectedPeer, GatewayConfig, OutboundPort, ServicePortId, Target, TargetGroup, Via,
};
use federation_model::{Bundle, TrustDomain};
use federation_trust::{Authority, BundleSet, Lifetime, SharedBundles, infra};
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

/// Long enough for any machine; nothing waits for it to pass.
pub const DEADLINE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// A loopback address that no other test uses, so that fixed ports on it are free.
pub fn own_address() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 + NEXT.fetch_add(1, Ordering::Relaxed), high, low.clamp(1, 254)).into()
}

pub fn domain(cluster: &str) -> TrustDomain {
    format!("{cluster}.lab").parse().unwrap()
}

/// A cluster's authority.
pub struct Ca(pub Arc<Authority>);

impl Ca {
    pub fn new(cluster: &str) -> Self {
        let lifetime = Lifetime::starting_at(SystemTime::now(), DAY);
        Self(Arc::new(Authority::create(&domain(cluster), lifetime).unwrap()))
    }

    pub fn issuer(&self) -> Arc<LocalAuthority> {
        Arc::new(LocalAuthority::new(Arc::clone(&self.0), Duration::from_secs(3_600)))
    }

    pub fn bundle(&self) -> Bundle {
        Bundle {
            trust_domain: self.0.domain().clone(),
            authorities: vec![self.0.bundle_authority()],
            sequence: 1,
            refresh_hint: 60,
        }
    }
}

pub fn bundles<'a>(all: impl IntoIterator<Item = &'a Ca>) -> SharedBundles {
    let all: Vec<Bundle> = all.into_iter().map(Ca::bundle).collect();
    SharedBundles::new(BundleSet::from_bundles(&all).0)
}

/// A configuration of cluster `east`, which knows these clusters.
pub fn config<'a>(all: impl IntoIterator<Item = (&'a str, &'a Ca)>) -> GatewayConfig {
    let all: Vec<_> = all.into_iter().collect();
    GatewayConfig {
        cluster: "east".parse().unwrap(),
        trust_domain: domain("east"),
        bundles: all.iter().map(|(cluster, ca)| (domain(cluster), ca.bundle())).collect(),
        cluster_domains: all.iter().map(|(name, _)| (domain(name), name.parse().unwrap())).collect(),
        ingress: BTreeMap::new(),
        egress: BTreeMap::new(),
    }
}

pub fn port(service: &str, port: u16) -> ServicePortId {
    ServicePortId { service: service.parse().unwrap(), port: port.try_into().unwrap() }
}

pub fn plain(address: SocketAddr) -> Target {
    Target { address, weight: 1, cluster: "east".parse().unwrap(), via: Via::Plain }
}

/// The gateway of another cluster, for a service.
pub fn gateway(address: SocketAddr, cluster: &str, id: &ServicePortId) -> Target {
    let via = Via::Mtls {
        sni: id.sni(),
        trust_domain: domain(cluster),
        expect: ExpectedPeer::OneOf(BTreeSet::from([infra::gateway_id(&domain(cluster))])),
    };
    Target { address, weight: 1, cluster: cluster.parse().unwrap(), via }
}

pub fn outbound(vip: &str, app: AppProtocol, groups: impl IntoIterator<Item = Vec<Target>>) -> OutboundPort {
    let groups: Vec<_> = groups.into_iter().map(|targets| TargetGroup { targets }).collect();
    OutboundPort { vip: vec![vip.parse().unwrap()], listen_port: None, app, groups: groups.into() }
}

pub fn workload() -> NodeMeta {
    NodeMeta {
        namespace: Some("demo".parse().unwrap()),
        service_account: Some("client".to_owned()),
        ..NodeMeta::default()
    }
}

/// An agent's local API on a Unix socket. It ends with the test's runtime.
pub struct Agent {
    pub address: LocalAddr,
    pub config: ConfigSender,
    pub status: XdsStatus,
    pub gateways: agent_agent::control::Gateways,
    pub stop: tokio_util::sync::CancellationToken,
    pub task: JoinHandle<()>,
    pub dir: tempfile::TempDir,
}

pub async fn agent(ca: &Ca) -> Agent {
    start(ca, tempfile::tempdir().unwrap()).await
}

impl Agent {
    /// Stops this agent and starts another in its place, which knows nothing.
    pub async fn replace(self, ca: &Ca) -> Self {
        self.stop.cancel();
        self.task.await.unwrap();
        start(ca, self.dir).await
    }
}

async fn start(ca: &Ca, dir: tempfile::TempDir) -> Agent {
    let address = LocalAddr::Unix(dir.path().join("agent.sock"));
    let (sender, receiver) = config::channel();
    let api = LocalApi::bind(&address, receiver, ca.issuer(), &mut Registry::default()).await.unwrap();
    let (status, gateways) = (api.xds_status(), api.gateways());
    let stop = tokio_util::sync::CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move { api.run(stopped.cancelled_owned()).await.unwrap() });
    Agent { address, config: sender, status, gateways, stop, task, dir }
}
