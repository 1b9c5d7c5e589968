//! Somebody edits our objects, or another controller has objects of its own under the same names.

use multi_cluster_e2e_kube::Kind;
use serde_json::{Value, json};

use crate::world::{DEMO, KubeWorld, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_by_hand_is_put_right_and_what_is_deleted_comes_back() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("echo").await?;
    west.export("echo").await?;
    let import = east.imported("echo").await?;
    let vip = import["spec"]["ips"][0].clone();

    east.objects
        .apply(json!({
            "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
            "metadata": {"namespace": DEMO, "name": "echo", "labels": {"mine": "stays"}},
            "spec": {"type": "ClusterSetIP", "ips": ["192.0.2.9"], "ports": [{"port": 1, "protocol": "TCP"}]},
        }))
        .await?;
    let right = |found: Option<&Value>| {
        found.filter(|i| i["spec"]["ips"] == json!([vip]) && i["spec"]["ports"][0]["port"] == 80).cloned()
    };
    let import = east.objects.until(Kind::SERVICE_IMPORT, (DEMO, "echo"), PATIENCE, right).await?;
    assert_eq!(import["metadata"]["labels"]["mine"], "stays", "somebody else's label was taken away");

    east.objects.delete(Kind::SERVICE_IMPORT, DEMO, "echo").await?;
    let again =
        |found: Option<&Value>| right(found).filter(|i| i["metadata"]["uid"] != import["metadata"]["uid"]);
    east.objects.until(Kind::SERVICE_IMPORT, (DEMO, "echo"), PATIENCE, again).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_of_another_controller_is_left_alone_and_named() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    let theirs = json!({
        "apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceImport",
        "metadata": {"namespace": DEMO, "name": "echo"},
        "spec": {"type": "ClusterSetIP", "ips": ["192.0.2.9"], "ports": [{"port": 81, "protocol": "TCP"}]},
    });
    let before = east.objects.apply(theirs).await?;
    west.service("echo").await?;
    west.export("echo").await?;
    let named = |status: &Value| status["kubernetes"].to_string().contains("demo/echo").then_some(());
    world.status_says(east, "the agent to say whose import that is", named).await?;
    let after = east.objects.get(Kind::SERVICE_IMPORT, DEMO, "echo").await?.unwrap_or_default();
    assert_eq!(
        before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"],
        "it was written to"
    );

    // Its owner goes, and ours comes.
    east.objects.delete(Kind::SERVICE_IMPORT, DEMO, "echo").await?;
    let import = east.imported("echo").await?;
    assert_ne!(import["spec"]["ips"][0], "192.0.2.9");
    world.end().await
}
