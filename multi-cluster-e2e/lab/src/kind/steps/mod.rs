//! The steps, in order. Each leaves the lab as it found it.

mod cross_cluster;
mod dns;
mod local_first;
mod objects;
mod refused_alike;
mod server_killed;
mod servers_gone;
mod strangers;
mod unexport;
mod without;

use futures::future::BoxFuture;

use super::stage::Stage;

/// One step.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) run: for<'a> fn(&'a Stage) -> BoxFuture<'a, anyhow::Result<String>>,
}

/// All of them.
pub(super) const ALL: [Step; 12] = [
    Step { name: "dns", run: |stage| Box::pin(dns::run(stage)) },
    Step { name: "cross-cluster", run: |stage| Box::pin(cross_cluster::run(stage)) },
    Step { name: "objects", run: |stage| Box::pin(objects::run(stage)) },
    Step { name: "local-first", run: |stage| Box::pin(local_first::run(stage)) },
    Step { name: "refused-alike", run: |stage| Box::pin(refused_alike::run(stage)) },
    Step { name: "strangers", run: |stage| Box::pin(strangers::run(stage)) },
    Step { name: "unexport", run: |stage| Box::pin(unexport::run(stage)) },
    Step { name: "server-killed", run: |stage| Box::pin(server_killed::run(stage)) },
    Step { name: "servers-gone", run: |stage| Box::pin(servers_gone::run(stage)) },
    Step { name: "agent-restarted", run: |stage| Box::pin(without::agent_restarted(stage)) },
    Step { name: "gateway-restarted", run: |stage| Box::pin(without::gateway_restarted(stage)) },
    Step { name: "nothing-left", run: |stage| Box::pin(without::nothing_left(stage)) },
];
