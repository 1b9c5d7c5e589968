//! A real Envoy in each cluster, configured by the agent over xDS.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use agent_agent::xds::NodeMeta;
use agent_agent::xds::bootstrap::{self, Bootstrap, Protocol};
use anyhow::{Context, bail};
use federation_kit::grpc::LocalAddr;

use crate::binaries::Binaries;
use crate::ca::write_secret;
use crate::lab::Lab;
use crate::samples::NAMESPACE;
use crate::topology::ClusterPlace;
use crate::wait::{Seen, until};

/// How long an Envoy may take to have all that it needs.
const READY: Duration = Duration::from_secs(30);

/// What an Envoy made of the updates that it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct XdsCounters {
    /// `update_success` over all subscriptions.
    pub accepted: u64,
    /// `update_rejected` over all subscriptions.
    pub rejected: u64,
}

/// An Envoy to start.
#[derive(Debug, Clone)]
pub struct EnvoySpec {
    /// Its process's name, and its node id.
    pub name: String,
    /// Its own admin endpoint.
    pub admin: SocketAddr,
    /// What it tells the agent that it wants.
    pub meta: NodeMeta,
    /// How it speaks to the agent.
    pub protocol: Protocol,
}

/// Starts the Envoy of a cluster: a client's, which routes HTTP by the Host header.
pub(crate) fn start(lab: &Lab, cluster: &ClusterPlace) -> anyhow::Result<()> {
    let Some(envoy) = &cluster.envoy else { return Ok(()) };
    let meta = NodeMeta {
        outbound: Some(envoy.outbound),
        namespace: Some(NAMESPACE.parse()?),
        service_account: Some("client".to_owned()),
        ..NodeMeta::default()
    };
    let spec = EnvoySpec { name: cluster.envoy_name(), admin: envoy.admin, meta, protocol: Protocol::Delta };
    run(lab, cluster, spec)
}

/// Starts any Envoy that gets its configuration from the agent of `cluster`.
pub fn run(lab: &Lab, cluster: &ClusterPlace, spec: EnvoySpec) -> anyhow::Result<()> {
    let path = lab.layout().cluster(cluster.id.as_str()).join(format!("{}.json", spec.name));
    let bootstrap = bootstrap::render(&Bootstrap {
        node_id: spec.name.clone(),
        node_cluster: cluster.id.to_string(),
        meta: spec.meta,
        admin: spec.admin,
        agent: LocalAddr::Unix(cluster.agent_socket.clone()),
        protocol: spec.protocol,
    });
    write_secret(&path, &bootstrap)?;
    let words = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning", "-c"];
    let mut args: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    args.push(path.into());
    lab.launch(&spec.name, Binaries::envoy()?, args).map(drop)
}

/// Waits until the Envoy of a cluster has been told everything once.
pub(crate) async fn ready(lab: &Lab, cluster: &ClusterPlace) -> anyhow::Result<()> {
    let Some(envoy) = &cluster.envoy else { return Ok(()) };
    let name = cluster.envoy_name();
    let look = || async {
        lab.expect_running(&name)?;
        let live = lab.observer().get(envoy.admin, "/ready").await;
        let listening = tokio::net::TcpStream::connect(envoy.outbound).await;
        Ok(Seen::from_result(live.and_then(|_| listening.map(drop).context("its listener is not there"))))
    };
    let waited = until(&format!("{name} to be ready"), READY, look).await;
    waited.map(drop).map_err(|error| lab.with_log(&error, &name))
}

/// Reads an Envoy's counters.
pub async fn xds_counters(lab: &Lab, cluster: &ClusterPlace) -> anyhow::Result<XdsCounters> {
    let Some(envoy) = &cluster.envoy else { bail!("{} has no Envoy", cluster.id) };
    let stats = lab.observer().get(envoy.admin, "/stats?filter=update_(success|rejected)").await?;
    Ok(sum(&stats))
}

fn sum(stats: &str) -> XdsCounters {
    let mut counters = XdsCounters::default();
    for (name, value) in stats.lines().filter_map(|line| line.split_once(": ")) {
        let value = value.trim().parse().unwrap_or(0);
        if name.ends_with("update_success") {
            counters.accepted += value;
        } else if name.ends_with("update_rejected") {
            counters.rejected += value;
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_subscriptions() {
        let stats = "cluster_manager.cds.update_success: 3\ncluster_manager.cds.update_rejected: 0\n\
                     listener_manager.lds.update_success: 2\nsds.default.update_rejected: 1\nother: 9\n";
        assert_eq!(sum(stats), XdsCounters { accepted: 5, rejected: 1 });
    }
}
