//! The clusterset that is measured: three servers and `south` from a lab, `east` and `west` on API servers.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent_agent::xds::NodeMeta;
use agent_agent::xds::bootstrap::Protocol;
use anyhow::Context;
use multi_cluster_e2e_kube::{ApiServer, Objects, Options, crds};
use multi_cluster_e2e_lab::ca::write_secret;
use multi_cluster_e2e_lab::envoy::{self, EnvoySpec};
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::layout::make_private;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::topology::{ClusterPlace, EnvoyPlace};
use multi_cluster_e2e_lab::wait::{Seen, until};

use super::content::{NAMESPACE, Service};

/// The port of the gateway of `west`, by which its weight is told from that of `south`. Nobody listens there.
pub(super) const WEST_GATEWAY_PORT: u16 = 15_443;
/// How long a join token is good for: the agents use theirs at once.
const TOKEN_SECONDS: u64 = 600;
/// How long the Envoy may take to have its first configuration.
const ENVOY_READY: Duration = Duration::from_secs(60);

/// Everything that runs.
pub(super) struct World {
    lab: Arc<Lab>,
    /// The API server of the importer.
    pub(super) east: ApiServer,
    west: ApiServer,
    /// The objects of the exporter.
    pub(super) west_objects: Objects,
    agents: Vec<SocketAddr>,
    envoy_admin: SocketAddr,
}

impl World {
    /// Starts everything, with an empty namespace in both API servers.
    pub(super) async fn up() -> anyhow::Result<Self> {
        eprintln!("starting two API servers, three federation servers, three agents and an Envoy");
        let (east, west) =
            tokio::try_join!(ApiServer::start(Options::default()), ApiServer::start(Options::default()))?;
        for cluster in [&east, &west] {
            cluster.install_crds(&crds::ours()?).await?;
            cluster.objects().await?.namespace(NAMESPACE).await?;
        }
        let south = vec!["south".parse()?];
        let spec = LabSpec { clusters: south, ports: PortChoice::Random, ..LabSpec::default() };
        let lab = Lab::temporary(spec).await?;
        let started = start(&lab, &east, &west).await;
        let (agents, envoy_admin) = match started {
            Ok(started) => started,
            Err(error) => {
                let error = logs(&lab, &error);
                lab.down().await?;
                return Err(error);
            }
        };
        let west_objects = west.objects().await?;
        Ok(Self { lab, east, west, west_objects, agents, envoy_admin })
    }

    /// Ends everything.
    pub(super) async fn down(self) -> anyhow::Result<()> {
        self.lab.down().await?;
        self.east.stop().await;
        self.west.stop().await;
        Ok(())
    }

    /// Where the Envoy of `east` tells what it has.
    pub(super) fn envoy_admin(&self) -> SocketAddr {
        self.envoy_admin
    }

    /// Waits until no agent has anything left to write.
    pub(super) async fn written(&self, within: Duration) -> anyhow::Result<()> {
        for agent in &self.agents {
            let look = || async {
                let status = self.lab.observer().status(*agent).await?;
                let controller = status.pointer("/kubernetes/controller/status");
                let none = |field| controller.and_then(|status| status.get(field)?.as_u64()) == Some(0);
                let idle = none("pending") && none("in_flight");
                Ok(if idle { Seen::Done(()) } else { Seen::NotYet(format!("{controller:?}")) })
            };
            until("an agent to have written everything", within, look).await?;
        }
        Ok(())
    }

    /// An error, with what the agents wrote last.
    pub(super) fn with_logs(&self, error: &anyhow::Error) -> anyhow::Error {
        logs(&self.lab, error)
    }

    /// Lets `south` export the same services.
    pub(super) fn offer_in_south(&self, services: &[Service]) -> anyhow::Result<()> {
        let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
        self.lab.save_text("south", "bench.yaml", &namespace)?;
        services.iter().try_for_each(|service| {
            self.lab.save_text("south", &format!("bench-{}.yaml", service.name), &service.south_yaml())
        })
    }
}

fn logs(lab: &Lab, error: &anyhow::Error) -> anyhow::Error {
    let tails = ["east-agent", "west-agent"]
        .map(|name| format!("the end of the log of {name}:\n{}", lab.log_tail(name)));
    anyhow::anyhow!("{error:#}\n{}", tails.join("\n"))
}

/// Starts the agents, and an Envoy beside that of `east`; gives back where agents, and the Envoy, tell how they are.
async fn start(
    lab: &Lab,
    east: &ApiServer,
    west: &ApiServer,
) -> anyhow::Result<(Vec<SocketAddr>, SocketAddr)> {
    let south = lab.cluster("south")?;
    let mut ports = Ports::new(PortChoice::Random);
    let mut places = Vec::new();
    for (name, api) in [("east", east), ("west", west)] {
        let place = place(lab, &mut ports, name, south)?;
        let dir = lab.layout().cluster(name);
        make_private(&dir)?;
        let token = lab.operator()?.create_token(&place.id, TOKEN_SECONDS).await?.token;
        write_secret(&dir.join("join-token"), &token)?;
        let path = dir.join("agent.toml");
        write_secret(&path, &agent_toml(lab, &place, &dir, &api.kubeconfig("admin")?))?;
        let args = vec![OsString::from("--config"), path.into()];
        lab.launch(&place.agent_name(), lab.binaries().program("isthmus-agent")?, args)?;
        places.push(place);
    }
    for place in &places {
        lab.ready(&place.agent_name(), place.agent_http).await?;
    }
    let east = places.first().context("east is the first")?;
    let wanted = EnvoyPlace {
        outbound: ports.pick(south.agent_http.ip(), 0)?,
        admin: ports.pick(south.agent_http.ip(), 0)?,
    };
    let meta = NodeMeta { outbound: Some(wanted.outbound), ..NodeMeta::default() };
    let spec = EnvoySpec { name: east.envoy_name(), admin: wanted.admin, meta, protocol: Protocol::Delta };
    envoy::run(lab, east, spec)?;
    let look = || async { Ok(Seen::from_result(lab.observer().get(wanted.admin, "/ready").await)) };
    until("the Envoy of east to be ready", ENVOY_READY, look).await?;
    Ok((places.iter().map(|place| place.agent_http).collect(), wanted.admin))
}

/// Where the agent of a cluster stands: on the addresses of the lab that it belongs to.
fn place(lab: &Lab, ports: &mut Ports, name: &str, beside: &ClusterPlace) -> anyhow::Result<ClusterPlace> {
    let ip = beside.agent_http.ip();
    let mut pick = || ports.pick(ip, 0);
    Ok(ClusterPlace {
        id: name.parse()?,
        octet: beside.octet,
        manifests: lab.layout().manifests(name),
        dns: pick()?,
        agent_http: pick()?,
        agent_socket: lab.layout().agent_socket(name),
        gateway: SocketAddr::new(ip, WEST_GATEWAY_PORT),
        gateway_http: pick()?,
        envoy: None,
        backends: Vec::new(),
    })
}

fn agent_toml(lab: &Lab, place: &ClusterPlace, dir: &Path, kubeconfig: &Path) -> String {
    let servers: Vec<String> = lab.topology().api_addresses().iter().map(ToString::to_string).collect();
    let ClusterPlace { id, dns, agent_http, agent_socket, gateway, .. } = place;
    let (data, token) = (dir.join("data"), dir.join("join-token"));
    format!(
        "cluster = '{id}'\nclusterset = '{}'\ndata_dir = '{}'\nip_families = ['IPv4']\n\
         join.servers = {servers:?}\njoin.token_file = '{}'\n\
         local.listen = 'unix:{}'\ndns.listen = '{dns}'\nhttp.listen = '{agent_http}'\n\
         [source.kubernetes]\nkubeconfig = '{}'\nnamespace = '{NAMESPACE}'\n\
         [[gateways]]\naddress = '{gateway}'\n",
        lab.topology().clusterset,
        data.display(),
        token.display(),
        agent_socket.display(),
        kubeconfig.display(),
    )
}
