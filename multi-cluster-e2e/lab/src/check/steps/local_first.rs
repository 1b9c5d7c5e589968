//! A service of two clusters is answered by the caller's own while that is ready, by the other while it is not.

use std::time::Instant;

use anyhow::ensure;

use crate::check::stage::{EAST, Stage, WEST};

/// Calls that must all stay local.
const CALLS: u32 = 20;

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    for call in 1..=CALLS {
        let by = stage.answered_by("whoami").await?;
        ensure!(by == EAST, "call {call} of {CALLS} was answered by {by} while {EAST} was ready");
    }
    let ready = stage.lab.sample(EAST, "whoami")?;
    let began = Instant::now();
    stage.lab.save_yaml(EAST, &ready.clone().not_ready())?;
    let (calls, moved) = stage.answers_move_to("whoami", WEST, began).await?;
    let began = Instant::now();
    stage.lab.save_yaml(EAST, &ready)?;
    let (more, back) = stage.answers_move_to("whoami", EAST, began).await?;
    Ok(format!(
        "{CALLS} of {CALLS} calls stayed in {EAST}; {} ms after its endpoint became not ready {WEST} answered, and {} ms \
         after it was ready again {EAST} did; none of {} calls in between failed",
        moved.as_millis(),
        back.as_millis(),
        calls + more
    ))
}
