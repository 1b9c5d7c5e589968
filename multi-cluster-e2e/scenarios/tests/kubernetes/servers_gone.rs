//! The federation servers are gone for good: imports stay, and what is deleted comes back, also after the agent's restart.

use multi_cluster_e2e_kube::Kind;
use serde_json::Value;

use crate::world::{DEMO, KubeWorld, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn imports_outlive_the_servers_and_a_restart_of_the_agent() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    east.gateway_pod().await?;
    west.service("echo").await?;
    west.export("echo").await?;
    let import = east.imported("echo").await?;
    world.saved(east, "view.lkg", "echo").await?;

    world.kill_server().await?;
    world.kill_agent(east).await?;
    east.objects.delete(Kind::SERVICE_IMPORT, DEMO, "echo").await?;
    east.gone(Kind::SERVICE_IMPORT, "echo").await?;
    world.start_agent(east)?;
    let same =
        |found: Option<&Value>| found.filter(|i| i["spec"]["ips"] == import["spec"]["ips"]).map(|_| ());
    east.objects.until(Kind::SERVICE_IMPORT, (DEMO, "echo"), PATIENCE, same).await?;
    world.end().await
}
