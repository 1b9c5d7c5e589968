//! A request from a pod without a sidecar, to a virtual address, is answered by a pod of another cluster.

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, Stage, WEST, by};

/// Calls, over all gateways of both sides.
const CALLS: u32 = 20;

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    stage.becomes_callable("echo").await?;
    let calls = stage.answers("echo", Way::Exec, CALLS).await?;
    let address = stage.address("echo").await?;
    for call in &calls {
        ensure!(by(call)? == WEST, "answered by {}", by(call)?);
        ensure!(call.dialled == address, "dialled {}, and the name is {address}", call.dialled);
    }
    let mut millis: Vec<u64> = calls.iter().map(|call| call.millis).collect();
    millis.sort_unstable();
    let median = millis.get(millis.len() / 2).copied().unwrap_or_default();
    Ok(format!(
        "{CALLS} of {CALLS} calls from a pod of {EAST}, which dialled {address}, were answered by {WEST}; median {median} ms, \
         slowest {} ms",
        millis.last().copied().unwrap_or_default()
    ))
}
