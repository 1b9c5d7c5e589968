//! All federation servers are gone, and traffic flows; they come back, and changes arrive again.

use anyhow::ensure;

use crate::check::stage::{EAST, PATIENCE, Stage, WEST};
use crate::wait::{Seen, until};

/// Calls that must all succeed without any server.
const CALLS: u32 = 20;

pub(in crate::check) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    let servers = &lab.topology().servers;
    for server in servers {
        lab.stop(&server.name(), true).await?;
    }
    for cluster in [EAST, WEST] {
        connected(stage, cluster, false).await?;
    }
    for call in 1..=CALLS {
        let by = stage.answered_by("echo").await?;
        ensure!(by == WEST, "call {call} of {CALLS} without servers was answered by {by}");
    }
    for server in servers {
        lab.start(&server.name()).await?;
    }
    for server in servers {
        lab.ready(&server.name(), server.http).await?;
    }
    let mut waited = 0;
    for cluster in lab.cluster_ids() {
        waited += connected(stage, cluster.as_str(), true).await?;
    }
    Ok(format!(
        "with all {} servers killed (-9), and the agents of {EAST} and {WEST} aware of it, {CALLS} of {CALLS} calls from \
         {EAST} were answered by {WEST}; the agents found the servers again {waited} ms after they were ready",
        servers.len()
    ))
}

/// Waits until an agent says that it has, or has not, a server.
async fn connected(stage: &Stage, cluster: &str, wanted: bool) -> anyhow::Result<u128> {
    let agent = stage.lab.cluster(cluster)?.agent_http;
    let look = || async {
        let status = stage.lab.observer().status(agent).await?;
        let found = status.pointer("/upstream/connected").and_then(serde_json::Value::as_bool);
        Ok(if found == Some(wanted) { Seen::Done(()) } else { Seen::NotYet(format!("{found:?}")) })
    };
    let what = format!("the agent of {cluster} to say connected={wanted}");
    Ok(until(&what, PATIENCE, look).await?.1.as_millis())
}
