//! A service of all clusters is answered by the caller's own while a pod there is ready, by others while none is.

use std::time::Instant;

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, Stage, by};
use crate::samples::NAMESPACE;

/// Calls that must all stay local.
const CALLS: u32 = 20;

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    stage.becomes_callable("whoami").await?;
    for call in stage.answers("whoami", Way::Exec, CALLS).await? {
        let by = by(&call)?;
        ensure!(by == EAST, "answered by {by} while {EAST} was ready");
    }
    let began = Instant::now();
    ready(stage, false).await?;
    let (calls, moved) = stage.answers_move("whoami", |cluster| cluster != EAST, began).await?;
    let began = Instant::now();
    ready(stage, true).await?;
    let (more, back) = stage.answers_move("whoami", |cluster| cluster == EAST, began).await?;
    Ok(format!(
        "{CALLS} of {CALLS} calls stayed in {EAST}; {} ms after its pod was told to be unready another cluster answered, and \
         {} ms after it was ready again {EAST} did; none of {} calls in between failed",
        moved.as_millis(),
        back.as_millis(),
        calls + more
    ))
}

/// The pod's readiness probe looks for a file, every second.
async fn ready(stage: &Stage, ready: bool) -> anyhow::Result<()> {
    let change: &[&str] = if ready { &["rm", "-f", "/tmp/not-ready"] } else { &["touch", "/tmp/not-ready"] };
    let exec = ["-n", NAMESPACE, "exec", "deploy/whoami", "--"];
    stage.lab.kubectl(EAST, &[&exec, change].concat()).await?;
    Ok(())
}
