//! Two clusters export the same service and do not agree: the older export wins, and both are told.

use multi_cluster_e2e_kube::Kind;
use serde_json::{Value, json};

use crate::world::{DEMO, KubeWorld, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_export_wins_and_every_exporter_is_told() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    let other = json!({"clusterIP": "None", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]});
    east.service_of("echo", other).await?;
    east.export("echo").await?;

    for cluster in [east, west] {
        let (reason, message) = cluster.condition("echo", "Conflict", "True").await?;
        assert!(reason.contains("TypeConflict"), "{reason}: {message}");
        assert!(message.contains("\"west\""), "the winner is not named: {message}");
    }
    let both = |found: Option<&Value>| {
        found.filter(|import| import["status"]["clusters"].as_array().is_some_and(|c| c.len() == 2)).cloned()
    };
    let import = east.objects.until(Kind::SERVICE_IMPORT, (DEMO, "echo"), PATIENCE, both).await?;
    assert_eq!(import["spec"]["type"], "ClusterSetIP");

    east.objects.delete(Kind::SERVICE_EXPORT, DEMO, "echo").await?;
    west.condition("echo", "Conflict", "False").await?;
    world.end().await
}
