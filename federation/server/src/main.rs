//! The binary: configuration in, a running federation server out. See the library for what it does.

use std::process::ExitCode;

use federation_kit::daemon::{Daemon, Process};
use federation_server::{App, Config, Listeners};

/// Connections, messages and changes are made on one thread and dropped on another, which glibc's allocator takes locks for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SERVER: Daemon = Daemon {
    name: "isthmus-server",
    about: "A federation server: holds the catalogue of a clusterset together with its peers",
    examples: "\
Examples:
  isthmus-server --config server.toml
  isthmus-server --config server.toml --check-config
  isthmus-server --config server.toml --log-format json --log-level info,federation_raft=debug

A configuration:
  id = 1
  clusterset = \"lab\"
  data_dir = \"/var/lib/isthmus\"
  api_listen = \"0.0.0.0:7400\"
  raft_listen = \"0.0.0.0:7401\"
  http_listen = \"127.0.0.1:7402\"
  ca = { cert = \"ca.pem\", key = \"ca.key\" }
  members = [
    { id = 1, api = \"s1.example:7400\", raft = \"s1.example:7401\" },
    { id = 2, api = \"s2.example:7400\", raft = \"s2.example:7401\" },
    { id = 3, api = \"s3.example:7400\", raft = \"s3.example:7401\" },
  ]

A server that is added later, or that replaces one that has lost its data, has besides
  join = true
and among its members itself and servers that are there. It waits for: isthmus members add

What one cluster may take, and this server as a whole (these are the defaults, but for the memory, which has no limit):
  [limits]
  exports = 5_000
  endpoints = 50_000
  bytes = 67_108_864
  changes_per_second = 500
  changes_burst = 5_000
  streams = 8
  memory_bytes = 1_073_741_824",
};

fn main() -> ExitCode {
    SERVER.run(Config::load, async |config: Config, process: &Process| {
        let listeners = Listeners::bind(&config, process).await?;
        let app = App::build(config, listeners, process).await?;
        app.run(process);
        Ok(())
    })
}
