//! The federation loses its leader to kill -9, and a service that is exported afterwards still arrives.

use std::time::Instant;

use anyhow::Context;

use crate::check::stage::{EAST, PATIENCE, Stage, WEST};
use crate::launch::backend_process;
use crate::ports::{PortChoice, Ports};
use crate::render::manifests::{PodEntry, ServiceManifest};
use crate::topology::ClusterPlace;

/// The service that is exported while there is no leader.
const LATE: &str = "late";
/// Its pod's number in the second cluster: after those of the samples.
const POD: u8 = 99;

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let leader = lab.operator()?.status().await?.leader_id.context("the federation has no leader")?;
    let servers = &lab.topology().servers;
    let leader = servers.iter().find(|s| s.id == leader).context("the leader is not a server of this lab")?;

    let west = lab.cluster(WEST)?;
    let address = Ports::new(PortChoice::Random).pick(ClusterPlace::pod_address(west.octet, POD), 0)?;
    backend_process(lab, "west-late-1", west, LATE, "late-1", address)?;

    lab.stop(&leader.name(), true).await?;
    let began = Instant::now();
    let pod = PodEntry { name: "late-1".to_owned(), address, ready: true };
    let manifest = ServiceManifest::exported(west, LATE, pod);
    lab.save_yaml(WEST, &manifest)?;
    stage.becomes_callable(LATE, PATIENCE).await?;
    let took = began.elapsed().as_millis();

    lab.start(&leader.name()).await?;
    lab.ready(&leader.name(), leader.http).await?;
    std::fs::remove_file(west.manifests.join(manifest.file_name()))?;
    let gone = stage.becomes_unknown(LATE).await?;
    lab.stop("west-late-1", true).await?;
    Ok(format!(
        "{}, the leader, was killed (-9); a service exported in {WEST} at that moment answered {EAST} after {took} ms; \
         with its file removed it was NXDOMAIN after {} ms",
        leader.name(),
        gone.as_millis()
    ))
}
