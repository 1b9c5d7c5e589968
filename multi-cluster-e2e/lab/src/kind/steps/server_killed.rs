//! A federation server is killed, and a service that is exported at that moment still arrives.

use std::time::Instant;

use crate::kind::stage::{EAST, Stage, WEST};

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let began = Instant::now();
    let (killed, exported) = tokio::join!(stage.lab.kill(WEST, "isthmus-server"), stage.export("private"));
    exported?;
    let arrived = stage.becomes_callable("private").await;
    let took = began.elapsed().as_millis();
    stage.unexport("private").await?;
    killed?;
    arrived?;
    let gone = stage.becomes_unknown("private").await?;
    Ok(format!(
        "the server of {WEST} was killed (-9); a service exported in {WEST} at that moment answered {EAST} after {took} ms; \
         taken back, it was NXDOMAIN after {} ms",
        gone.as_millis()
    ))
}
