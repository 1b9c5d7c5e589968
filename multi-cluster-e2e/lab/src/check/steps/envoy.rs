//! The same through a real Envoy, which has accepted everything that it was sent.

use anyhow::ensure;

use crate::binaries::Binaries;
use crate::check::stage::{EAST, SOON, Stage, WEST, url};
use crate::client::http::get_through_envoy;
use crate::envoy::xds_counters;
use crate::wait::{Seen, until};

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let east = stage.lab.cluster(EAST)?;
    if east.envoy.is_none() {
        let why =
            Binaries::envoy().err().map_or_else(|| "there is none".to_owned(), |error| error.to_string());
        ensure!(!stage.tour.require_envoy, "Envoy is required: {why}");
        return Ok(format!("not tried: {why}"));
    }
    let call = || async {
        let answer = get_through_envoy(east, &url("echo")).await.and_then(|a| Ok((a.backend()?, a.micros)));
        Ok(Seen::from_result(answer))
    };
    let ((backend, micros), waited) = until("an answer through Envoy", SOON, call).await?;
    ensure!(
        backend.cluster == WEST && backend.service == "echo",
        "answered by {} of {}",
        backend.pod,
        backend.cluster
    );
    let mut accepted = 0;
    for cluster in &stage.lab.topology().clusters {
        let counters = xds_counters(&stage.lab, cluster).await?;
        let rejected = counters.rejected;
        ensure!(rejected == 0, "the Envoy of {} has rejected {rejected} updates", cluster.id);
        ensure!(counters.accepted > 0, "the Envoy of {} has accepted no update", cluster.id);
        accepted += counters.accepted;
    }
    Ok(format!(
        "answered by pod {} of {} in {} ms (first answer after {} ms); {} Envoys accepted {accepted} updates and \
         rejected 0",
        backend.pod,
        backend.cluster,
        micros / 1000,
        waited.as_millis(),
        stage.lab.topology().clusters.len()
    ))
}
