//! What keeps answering while parts are gone: every combination that leaves one gateway of each side alive.
//!
//! Where a gateway's process is killed, connections that it held are gone, and a connection that kube-proxy sends to it
//! before the kubelet has seen the death is refused: these calls are tried again, as clients do, and it is said how
//! often.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::kind::caller::Way;
use crate::kind::stage::{EAST, Stage, WEST, by, host, url};
use crate::wait::{Seen, until};

/// Calls in each situation.
const CALLS: u32 = 10;
/// Until a restarted process serves again.
const RESTART: Duration = Duration::from_secs(60);

/// An agent of either side is killed, with and without servers.
pub(in crate::kind) async fn agent_restarted(stage: &Stage) -> anyhow::Result<String> {
    let mut slowest = 0;
    for cluster in [EAST, WEST] {
        let (killed, calls) = tokio::join!(
            stage.lab.kill(cluster, "isthmus-agent"),
            stage.all_by("echo", WEST, Way::Exec, CALLS)
        );
        killed?;
        slowest = slowest.max(calls?);
    }
    stage.scale_servers(0).await?;
    let without = async {
        for cluster in [EAST, WEST] {
            stage.lab.kill(cluster, "isthmus-agent").await?;
        }
        resolves(stage, Way::Exec).await?;
        stage.all_by("echo", WEST, Way::Exec, CALLS).await
    }
    .await;
    stage.scale_servers(1).await?;
    slowest = slowest.max(without?);
    Ok(format!(
        "while the agents of {EAST} and {WEST} were killed (-9) and came back, {} of {} calls were answered; with no \
         server and both agents restarted, {CALLS} of {CALLS} (slowest {slowest} ms)",
        2 * CALLS,
        2 * CALLS
    ))
}

/// One gateway of either side is killed, with and without servers.
pub(in crate::kind) async fn gateway_restarted(stage: &Stage) -> anyhow::Result<String> {
    let with = gateways_killed(stage).await?;
    stage.scale_servers(0).await?;
    let without = gateways_killed(stage).await;
    stage.scale_servers(1).await?;
    Ok(format!(
        "one gateway of {EAST} and one of {WEST} killed (-9): {with}; the same with no server: {}",
        without?
    ))
}

async fn gateways_killed(stage: &Stage) -> anyhow::Result<String> {
    let mut retried = 0;
    for cluster in [EAST, WEST] {
        let (killed, calls) =
            tokio::join!(stage.lab.kill(cluster, "isthmus-gateway"), tried_again(stage, Way::Exec));
        killed?;
        retried += calls?;
    }
    let settled = settled(stage, Way::Exec).await?;
    Ok(format!(
        "all of {} calls answered, {retried} of them at the second try or later, none after {settled} ms",
        2 * CALLS
    ))
}

/// Servers and API servers gone, agents and one gateway of either side restarted.
pub(in crate::kind) async fn nothing_left(stage: &Stage) -> anyhow::Result<String> {
    stage.scale_servers(0).await?;
    let seen = without_api_servers(stage).await;
    for cluster in [EAST, WEST] {
        stage.lab.start_api_server(cluster).await?;
    }
    stage.scale_servers(1).await?;
    let seen = seen?;
    // And everything moves again.
    stage.export("private").await?;
    let arrived = stage.becomes_callable("private").await;
    stage.unexport("private").await?;
    arrived?;
    Ok(seen)
}

async fn without_api_servers(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    tokio::try_join!(lab.stop_api_server(EAST), lab.stop_api_server(WEST))?;
    resolves(stage, Way::Node).await?;
    let first = stage.all_by("echo", WEST, Way::Node, CALLS).await?;
    for cluster in [EAST, WEST] {
        lab.kill(cluster, "isthmus-agent").await?;
    }
    resolves(stage, Way::Node).await?;
    let second = stage.all_by("echo", WEST, Way::Node, CALLS).await?;
    let mut retried = 0;
    for cluster in [EAST, WEST] {
        lab.kill(cluster, "isthmus-gateway").await?;
        retried += tried_again(stage, Way::Node).await?;
    }
    let settled = settled(stage, Way::Node).await?;
    Ok(format!(
        "no server, and no API server in {EAST} and {WEST}: {CALLS} of {CALLS} calls answered (slowest {first} ms); then both \
         agents killed: {CALLS} of {CALLS} (slowest {second} ms); then one gateway of each: all of {} answered, {retried} at the \
         second try or later, none after {settled} ms",
        2 * CALLS
    ))
}

async fn resolves(stage: &Stage, way: Way) -> anyhow::Result<()> {
    let dug = stage.lab.dig(EAST, way, &host("echo"), "A").await?;
    ensure!(!dug.addresses().is_empty(), "echo does not resolve in {EAST}: {}", dug.brief());
    Ok(())
}

/// Calls, each of which must be answered in at most five tries; gives back how many needed more than one.
async fn tried_again(stage: &Stage, way: Way) -> anyhow::Result<u32> {
    let mut retried = 0;
    for number in 1..=CALLS {
        let mut tries = 0;
        loop {
            tries += 1;
            let calls = stage.lab.curl(EAST, way, &url("echo"), 1).await?;
            match calls.first().map(by) {
                Some(Ok(_)) => break,
                other => ensure!(tries < 5, "call {number} failed {tries} times: {other:?}"),
            }
        }
        retried += u32::from(tries > 1);
    }
    Ok(retried)
}

/// Waits until ten calls in a row are answered at the first try; gives back the milliseconds.
async fn settled(stage: &Stage, way: Way) -> anyhow::Result<u128> {
    let began = Instant::now();
    let look = || async { Ok(Seen::from_result(stage.all_by("echo", WEST, way, CALLS).await)) };
    until("every call to be answered at once", RESTART, look).await?;
    Ok(began.elapsed().as_millis())
}
