//! An agent without the right to one kind of object: the rest works, and it says which rule is missing.

use multi_cluster_e2e_kube::Kind;
use serde_json::Value;

use crate::world::{Crds, KubeWorld, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_one_kind_the_rest_works() -> anyhow::Result<()> {
    let world = KubeWorld::without_agents(Crds::Installed).await?;
    let (east, west) = (world.east(), world.west());
    east.allow(|rule| rule.group != "about.k8s.io").await?;
    world.start_agents().await?;
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    let named = |status: &Value| status["kubernetes"].to_string().contains("clusterproperties").then_some(());
    world.status_says(east, "the agent to name what it may not do", named).await?;
    assert!(east.objects.list(Kind::CLUSTER_PROPERTY, "", "").await?.is_empty());
    let checked = permissions(&world).await?;
    assert!(
        checked.iter().all(|(ok, rule)| !ok && rule.contains("clusterproperties")) && !checked.is_empty(),
        "{checked:?}"
    );

    east.allow(|_| true).await?;
    let east_is_named = |found: Option<&Value>| found.filter(|p| p["spec"]["value"] == "east").map(|_| ());
    east.objects
        .until(Kind::CLUSTER_PROPERTY, ("", "cluster.clusterset.k8s.io"), PATIENCE, east_is_named)
        .await?;
    assert_eq!(permissions(&world).await?, [(true, "every rule that the agent needs".to_owned())]);
    world.end().await
}

/// What `isthmus-agent check` says of the rights in east: for each line, whether it is well.
async fn permissions(world: &KubeWorld) -> anyhow::Result<Vec<(bool, String)>> {
    let mut steps = world.check_agent(world.east()).await?;
    steps.retain(|step| step["step"] == "permissions");
    let line = |step: Value| (step["ok"] == true, step["observed"].as_str().unwrap_or_default().to_owned());
    Ok(steps.into_iter().map(line).collect())
}
