//! Puts the agent together: what is bound, what runs, and in which order it becomes useful.
//!
//! The last known good view is in force before a server is reached, and stays so when none is.

mod agent;
mod api_server;
mod cluster;
mod offers;
mod planner;
mod reviewer;
mod source;
mod upstream_task;

use federation_kit::daemon::Process;
use federation_kit::exit::Failure;

pub use agent::{Addresses, Agent};

use crate::config::Config;

/// What `--help` ends with.
pub const EXAMPLES: &str = r#"Examples:
  isthmus-agent --config agent.toml
  isthmus-agent --config agent.toml --check-config
  isthmus-agent --config agent.toml --log-format json --log-level info,agent_agent=debug
  isthmus-agent check --config agent.toml                  # whether it can work here, and what is missing
  isthmus-agent coredns apply --config agent.toml          # names under clusterset.local by the cluster's CoreDNS
  curl http://127.0.0.1:15014/status

A configuration:
  cluster = "east"
  clusterset = "lab"
  network = "east"                  # default: the cluster's name
  region = "eu"                     # optional
  zone = "eu-1"                     # optional: of endpoints that name none
  data_dir = "/var/lib/isthmus-agent"
  vip_view = "127.241.0.0/16"       # optional: the block that stands for the federation's VIPs here
  ip_families = ["IPv4"]            # default: both

  [join]
  servers = ["10.0.0.1:7400", "10.0.0.2:7400", "10.0.0.3:7400"]
  token_file = "/etc/isthmus/join-token"

  [source]
  files = "/etc/isthmus/objects"

  [local]
  listen = "unix:/run/isthmus/agent.sock"

  [dns]
  listen = "127.0.0.1:15053"
  upstream = ["10.96.0.10:53"]

  [http]
  listen = "127.0.0.1:15014"

  [[gateways]]
  address = "192.0.2.1:15443"       # as other clusters dial it
  zone = "eu-1"
  weight = 1

On Kubernetes, in place of [source] and [[gateways]]:
  [source.kubernetes]
  kubeconfig = "/etc/isthmus/kubeconfig"   # default: the pod's service account
  context = "kind-east"                    # default: the current one
  namespace = "isthmus-system"             # default: POD_NAMESPACE
  gateway_service = "isthmus-gateway"      # its ready endpoints are this cluster's gateways
  write = true                             # imports, slices and conditions (the MCS controller)

  [gateway]
  egress_ports = "16000-24999"             # where gateways listen for imported ports

  [control]                                # gateways in pods, by TLS
  listen = "0.0.0.0:15012"
  gateway_accounts = ["isthmus-system/isthmus-gateway"]
  ca_config_map = "isthmus-ca"
"#;

/// Binds everything, starts everything, and returns once the agent is a member of its federation.
///
/// # Errors
/// With the exit code that fits: what is wrong in the configuration, a port in use, a data directory that is not ours,
/// a refused token.
pub async fn start(config: Config, process: &Process) -> Result<(), Failure> {
    Agent::bind(config, process).await?.run(process).await
}
