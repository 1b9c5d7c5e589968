//! All federation servers are gone, and traffic flows; they come back, and changes arrive again.

use std::time::Instant;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, Stage, WEST};

/// Calls that must all succeed without any server.
const CALLS: u32 = 20;

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    stage.scale_servers(0).await?;
    let answered = stage.all_by("echo", WEST, Way::Exec, CALLS).await;
    let began = Instant::now();
    stage.scale_servers(1).await?;
    let slowest = answered?;
    stage.export("private").await?;
    let arrived = stage.becomes_callable("private").await;
    stage.unexport("private").await?;
    arrived?;
    let took = began.elapsed().as_millis();
    stage.becomes_unknown("private").await?;
    Ok(format!(
        "with all {} servers scaled to 0, {CALLS} of {CALLS} calls from {EAST} were answered by {WEST} (slowest {slowest} ms); \
         {took} ms after they were started again an export had arrived",
        stage.lab.clusters.len()
    ))
}
