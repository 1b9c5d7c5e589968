//! `isthmus-gateway`: the east-west gateway of one cluster. See the library for what it is made of.

use std::process::ExitCode;

use east_west_gateway_gateway::app::Gateway;
use east_west_gateway_gateway::config::Config;
use federation_kit::daemon::{Daemon, Process};

const EXAMPLES: &str = r#"Examples:
  isthmus-gateway --config /etc/isthmus/gateway.toml
  isthmus-gateway --config gateway.toml --check-config
  isthmus-gateway --config gateway.toml --log-format json --log-level info,east_west_gateway_gateway=debug

A configuration file, beside the agent on one machine:
  name = "east-gateway-1"
  agent = "unix:/run/isthmus/agent.sock"
  data_dir = "/var/lib/isthmus/gateway"
  listen = "0.0.0.0:15443"
  http_listen = "127.0.0.1:15020"

A configuration file in a pod, where the name is the pod's:
  agent = "https://isthmus-agent.isthmus-system.svc:15012"
  agent_ca = "/etc/isthmus/ca/ca.pem"                              # waited for until the agent has written it
  agent_token_file = "/var/run/secrets/tokens/isthmus-agent"       # audience isthmus-agent
  data_dir = "/var/lib/isthmus"
  http_listen = "0.0.0.0:15020"                                    # the kubelet asks /livez and /readyz
  [egress]
  listen = ["0.0.0.0", "::"]                                       # default: all addresses

Exit codes: 0 stopped as asked, 64 wrong command line or configuration, 69 a port is taken or absent,
70 a fault of the program, 74 the data directory cannot be used."#;

fn main() -> ExitCode {
    Daemon {
        name: "isthmus-gateway",
        about: "Carries mTLS between the clusters of a clusterset, checked against what is exported",
        examples: EXAMPLES,
    }
    .run(Config::load, async |config, process: &Process| {
        Gateway::bind(&config, process).await?.run(process);
        Ok(())
    })
}
