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
    let checked = lacking(&world).await?;
    assert!(checked.len() == 1 && checked[0].contains("about.k8s.io/clusterproperties"), "{checked:?}");

    east.allow(|_| true).await?;
    let east_is_named = |found: Option<&Value>| found.filter(|p| p["spec"]["value"] == "east").map(|_| ());
    east.objects
        .until(Kind::CLUSTER_PROPERTY, ("", "cluster.clusterset.k8s.io"), PATIENCE, east_is_named)
        .await?;
    assert_eq!(lacking(&world).await?, Vec::<String>::new());
    world.end().await
}

/// The rules that east's agent lacks, as `isthmus-agent check` says.
async fn lacking(world: &KubeWorld) -> anyhow::Result<Vec<String>> {
    let steps = world.check_agent(world.east()).await?;
    let lacking = steps.iter().filter(|step| step["step"] == "permissions" && step["ok"] == false);
    Ok(lacking.filter_map(|step| step["observed"].as_str().map(str::to_owned)).collect())
}
