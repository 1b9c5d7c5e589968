//! API servers that restart, are gone when the agent starts, or are not those that the agent trusts.

use multi_cluster_e2e_kube::certificates::foreign_authority;
use multi_cluster_e2e_lab::ca::write_secret;
use serde_json::Value;

use crate::world::KubeWorld;

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_api_server_is_watched_again() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("first").await?;
    west.export("first").await?;
    east.imported("first").await?;
    for cluster in [east, west] {
        cluster.api.stop_api().await?;
    }
    for cluster in [east, west] {
        cluster.api.start_api().await?;
    }
    west.service("second").await?;
    west.export("second").await?;
    east.imported("second").await?;
    east.imported("first").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_api_server_is_gone_starts_from_its_snapshot() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    west.condition("echo", "Ready", "True").await?;
    world.saved(west, "objects.snapshot", "echo").await?;
    west.api.stop_api().await?;
    world.kill_agent(west).await?;
    world.start_agent(west)?;
    world.ready(&west.place.agent_name(), west.place.agent_http).await?;
    let still = |status: &Value| {
        let exports = status["exports"].as_array()?;
        exports.iter().any(|e| e.to_string().contains("echo") && e["state"] == "committed").then_some(())
    };
    world.status_says(west, "the agent to export from its snapshot", still).await?;
    east.imported("echo").await?;
    west.api.start_api().await?;
    west.service("second").await?;
    west.export("second").await?;
    east.imported("second").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_ca_is_named_and_the_right_one_heals_it() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    world.kill_agent(east).await?;
    let wrong = east.api.kubeconfig_text("agent", &foreign_authority()?);
    write_secret(&east.api.kubeconfig("agent")?, &wrong)?;
    world.start_agent(east)?;
    let named = |status: &Value| {
        let text = status.to_string().to_lowercase();
        (text.contains("certificate") || text.contains("ca ")).then_some(())
    };
    world.status_says(east, "the agent to say that it does not trust the API server", named).await?;
    world.kill_agent(east).await?;
    east.api.kubeconfig("agent")?;
    world.start_agent(east)?;
    west.service("second").await?;
    west.export("second").await?;
    east.imported("second").await?;
    world.end().await
}
