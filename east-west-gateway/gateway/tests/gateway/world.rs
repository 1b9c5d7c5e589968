//! Authorities, configurations and running gateways.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use east_west_gateway_gateway::app::{Addresses, Gateway};
use east_west_gateway_gateway::config::{AgentAddress, Config, Egress, Limits};
use east_west_gateway_gateway::egress::EgressState;
use east_west_gateway_gateway::plane::Plane;
use federation_kit::daemon::Process;
use federation_kit::drain::DrainTrigger;
use federation_kit::grpc::LocalAddr;
use federation_kit::testing::eventually;
use federation_model::data_plane::{
    AppProtocol, ExpectedPeer, GatewayConfig, IngressRoute, OutboundPort, ServicePortId, Target, TargetGroup,
    Via,
};
use federation_model::{Bundle, ExportScope, SpiffeId, TrustDomain};
use federation_trust::{Authority, BundleSet, Identity, Lifetime, PrivateKey, SharedBundles, SharedIdentity};
use tokio::sync::watch;

/// Bounds a test that hangs; no test waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The authority of each cluster's domain.
pub(crate) struct Pki {
    authorities: BTreeMap<TrustDomain, Authority>,
    /// How long the certificates hold that an agent gives to its gateway.
    pub(crate) gateway_life: Duration,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let domains = ["east.lab", "west.lab", "south.lab"];
        Self {
            authorities: domains.map(|name| (name.parse().unwrap(), authority(name))).into(),
            gateway_life: Duration::from_secs(3_600),
        }
    }

    pub(crate) fn authority(&self, domain: &str) -> &Authority {
        &self.authorities[&domain.parse().unwrap()]
    }

    pub(crate) fn identity(&self, id: &str) -> Identity {
        let id: SpiffeId = id.parse().unwrap();
        issue(&self.authorities[id.trust_domain()], &id)
    }

    pub(crate) fn bundles(&self) -> BTreeMap<TrustDomain, Bundle> {
        self.authorities
            .iter()
            .map(|(domain, authority)| {
                let authorities = vec![authority.bundle_authority()];
                let bundle =
                    Bundle { trust_domain: domain.clone(), authorities, sequence: 1, refresh_hint: 300 };
                (domain.clone(), bundle)
            })
            .collect()
    }

    pub(crate) fn shared_bundles(&self) -> SharedBundles {
        let (set, problems) = BundleSet::from_bundles(self.bundles().values());
        assert_eq!(problems, []);
        SharedBundles::new(set)
    }

    /// A gateway's configuration, with nothing exported or imported yet.
    pub(crate) fn config(&self, cluster: &str) -> GatewayConfig {
        let domain = |name: &str| (format!("{name}.lab").parse().unwrap(), name.parse().unwrap());
        GatewayConfig {
            cluster: cluster.parse().unwrap(),
            trust_domain: format!("{cluster}.lab").parse().unwrap(),
            bundles: self.bundles(),
            cluster_domains: ["east", "west", "south"].map(domain).into(),
            ingress: BTreeMap::new(),
            egress: BTreeMap::new(),
        }
    }
}

pub(crate) fn authority(domain: &str) -> Authority {
    Authority::create(&domain.parse().unwrap(), lifetime()).unwrap()
}

pub(crate) fn issue(authority: &Authority, id: &SpiffeId) -> Identity {
    let key = PrivateKey::generate().unwrap();
    let csr = federation_trust::csr::verified_key(&key.csr().unwrap().0).unwrap();
    Identity::new(authority.issue(&csr, id, lifetime()).unwrap(), &key).unwrap()
}

pub(crate) fn lifetime() -> Lifetime {
    Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600))
}

pub(crate) fn shared(identity: Identity) -> SharedIdentity {
    SharedIdentity::new(identity)
}

/// `service` is `namespace/name`.
pub(crate) fn port(service: &str, port: u16) -> ServicePortId {
    ServicePortId { service: service.parse().unwrap(), port: NonZeroU16::new(port).unwrap() }
}

pub(crate) fn route(scope: &[&str], end_to_end: bool, endpoints: &[SocketAddr]) -> IngressRoute {
    let scope = match scope {
        ["*"] => ExportScope::All,
        named => ExportScope::Clusters(named.iter().map(|name| name.parse().unwrap()).collect()),
    };
    IngressRoute { scope, end_to_end, endpoints: Arc::new(endpoints.iter().copied().collect()) }
}

pub(crate) fn outbound(vip: IpAddr, groups: Vec<Vec<Target>>) -> OutboundPort {
    let groups: Vec<_> = groups.into_iter().map(|targets| TargetGroup { targets }).collect();
    OutboundPort { vip: vec![vip], listen_port: None, app: AppProtocol::Tcp, groups: groups.into() }
}

pub(crate) fn local(address: SocketAddr) -> Target {
    Target { address, weight: 1, cluster: "east".parse().unwrap(), via: Via::Plain }
}

pub(crate) fn through_gateway(address: SocketAddr, cluster: &str, to: &ServicePortId) -> Target {
    let trust_domain: TrustDomain = format!("{cluster}.lab").parse().unwrap();
    let gateway = federation_trust::infra::gateway_id(&trust_domain);
    let expect = ExpectedPeer::OneOf(BTreeSet::from([gateway]));
    let via = Via::Mtls { sni: to.sni(), trust_domain, expect };
    Target { address, weight: 1, cluster: cluster.parse().unwrap(), via }
}

/// An address of loopback that no other test of this process, nor another test process, uses.
pub(crate) fn vip() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = u16::try_from(std::process::id() % (64 * 256)).unwrap();
    let [high, low] = process.to_be_bytes();
    Ipv4Addr::new(127, 64 + high, low, NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// The configuration of a gateway beside its agent, on ports that the system chooses.
pub(crate) fn configured(agent: &LocalAddr, data_dir: &Path) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config {
        name: "gw-1".to_owned(),
        agent: AgentAddress::Local(agent.clone()),
        agent_ca: "/nowhere/ca.pem".into(),
        trust_domain: None,
        agent_token_file: "/nowhere/token".into(),
        data_dir: data_dir.to_owned(),
        listen: any,
        http_listen: any,
        egress: Egress::default(),
        limits: Limits::default(),
    }
}

/// A gateway that runs in this process.
pub(crate) struct Running {
    pub(crate) addresses: Addresses,
    pub(crate) plane: Arc<Plane>,
    pub(crate) egress: watch::Receiver<EgressState>,
    pub(crate) process: Process,
    trigger: DrainTrigger,
}

impl Running {
    pub(crate) async fn start(agent: &LocalAddr, data_dir: &Path) -> Self {
        Self::start_with(agent, data_dir, Limits::default()).await
    }

    pub(crate) async fn start_with(agent: &LocalAddr, data_dir: &Path, limits: Limits) -> Self {
        Self::start_configured(&Config { limits, ..configured(agent, data_dir) }).await
    }

    pub(crate) async fn start_configured(config: &Config) -> Self {
        let (trigger, process) = Process::new("isthmus-gateway");
        let gateway = Gateway::bind(config, &process).await.unwrap();
        let (addresses, plane, egress) = (gateway.addresses(), gateway.plane().clone(), gateway.egress());
        gateway.run(&process);
        Self { addresses, plane, egress, process, trigger }
    }

    pub(crate) async fn ready(&self) {
        tokio::time::timeout(DEADLINE, self.process.readiness.ready()).await.unwrap();
    }

    /// Waits until the configuration `version` is in force, egress included.
    pub(crate) async fn follows(&self, version: &str) {
        let mut egress = self.egress.clone();
        let follows = egress.wait_for(|state| state.version.as_deref() == Some(version));
        tokio::time::timeout(DEADLINE, follows).await.unwrap().unwrap();
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let url = format!("http://{}{path}", self.addresses.admin);
        reqwest::get(url).await.unwrap().text().await.unwrap()
    }

    /// Waits until `/metrics` has this line.
    pub(crate) async fn counts(&self, line: &str) {
        let seen = eventually(DEADLINE, async || self.page("/metrics").await.lines().any(|l| l == line));
        if seen.await.is_err() {
            panic!("no line {line:?} in:\n{}", self.page("/metrics").await);
        }
    }

    /// Drains with this deadline and waits for every task.
    pub(crate) async fn stop(self, deadline: Duration) {
        let Self { process, trigger, plane, .. } = self;
        let tasks = process.tasks.clone();
        drop((process, plane));
        trigger.drain(deadline).await;
        assert_eq!(tasks.stop(DEADLINE).await, 0, "a task did not end by itself");
    }
}
