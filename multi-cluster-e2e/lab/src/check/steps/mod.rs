//! The steps, in order. Each leaves the lab as it found it.

mod bad_yaml;
mod cross_cluster;
mod dns;
mod envoy;
mod leader_killed;
mod local_first;
mod refused_alike;
mod servers_gone;
mod strangers;
mod unexport;

use futures::future::BoxFuture;

use super::stage::Stage;

/// One step.
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) run: for<'a> fn(&'a Stage) -> BoxFuture<'a, anyhow::Result<String>>,
}

/// All of them.
pub(super) const ALL: [Step; 10] = [
    Step { name: "dns", run: |stage| Box::pin(dns::run(stage)) },
    Step { name: "cross-cluster", run: |stage| Box::pin(cross_cluster::run(stage)) },
    Step { name: "envoy", run: |stage| Box::pin(envoy::run(stage)) },
    Step { name: "local-first", run: |stage| Box::pin(local_first::run(stage)) },
    Step { name: "refused-alike", run: |stage| Box::pin(refused_alike::run(stage)) },
    Step { name: "strangers", run: |stage| Box::pin(strangers::run(stage)) },
    Step { name: "leader-killed", run: |stage| Box::pin(leader_killed::run(stage)) },
    Step { name: "servers-gone", run: |stage| Box::pin(servers_gone::run(stage)) },
    Step { name: "unexport", run: |stage| Box::pin(unexport::run(stage)) },
    Step { name: "bad-yaml", run: |stage| Box::pin(bad_yaml::run(stage)) },
];
