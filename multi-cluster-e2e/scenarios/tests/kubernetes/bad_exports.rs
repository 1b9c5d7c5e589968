//! Exports that cannot be: each is told why, and the one good export beside them is not disturbed.

use multi_cluster_e2e_kube::Kind;
use serde_json::{Value, json};

use crate::world::{DEMO, KubeWorld};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_export_is_told_why_and_disturbs_nobody() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());

    west.export("nothing").await?;
    assert_eq!(west.condition("nothing", "Valid", "False").await?.0, "NoService");

    let external = json!({"type": "ExternalName", "externalName": "example.com"});
    west.objects
        .apply(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": DEMO, "name": "outside"}, "spec": external}))
        .await?;
    west.export("outside").await?;
    assert_eq!(west.condition("outside", "Valid", "False").await?.0, "InvalidServiceType");

    let ports: Vec<Value> =
        (0..300).map(|n| json!({"name": format!("p{n}"), "port": 1000 + n, "protocol": "TCP"})).collect();
    west.service_of("many", json!({"ports": ports})).await?;
    west.export("many").await?;
    let (reason, message) = west.condition("many", "Valid", "False").await?;
    assert_eq!(reason, "InvalidService", "{message}");
    assert!(message.contains("ports"), "{message}");

    west.service("good").await?;
    west.export("good").await?;
    east.imported("good").await?;
    for bad in ["nothing", "outside", "many"] {
        assert!(east.objects.get(Kind::SERVICE_IMPORT, DEMO, bad).await?.is_none(), "{bad} was imported");
    }

    // The service that was missing comes, and the export is good without being touched.
    west.service("nothing").await?;
    west.condition("nothing", "Valid", "True").await?;
    east.imported("nothing").await?;
    // And goes: its export is bad again, and nobody keeps an import of it.
    west.objects.delete(Kind::SERVICE, DEMO, "nothing").await?;
    assert_eq!(west.condition("nothing", "Valid", "False").await?.0, "NoService");
    east.gone(Kind::SERVICE_IMPORT, "nothing").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_over_the_limits_are_refused_with_the_limit() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let west = world.west();
    west.service("echo").await?;
    let labels: Value = (0..500)
        .map(|n| (format!("label-{n}"), Value::from("x".repeat(60))))
        .collect::<serde_json::Map<_, _>>()
        .into();
    west.export_with("echo", json!({"exportedLabels": labels})).await?;
    let (reason, message) = west.condition("echo", "Valid", "False").await?;
    assert_eq!(reason, "InvalidService", "{message}");
    assert!(message.to_lowercase().contains("label"), "{message}");
    west.export_with("echo", json!({"exportedLabels": {"a": "b"}})).await?;
    west.condition("echo", "Valid", "True").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_a_namespace_that_ends_are_exported_no_more() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    // A finalizer of somebody else holds the namespace, with the export still in it.
    west.objects
        .merge(
            Kind::SERVICE_EXPORT,
            DEMO,
            "echo",
            json!({"metadata": {"finalizers": ["story.example/hold"]}}),
        )
        .await?;
    west.objects.delete(Kind::NAMESPACE, "", DEMO).await?;
    east.gone(Kind::SERVICE_IMPORT, "echo").await?;
    west.objects.merge(Kind::SERVICE_EXPORT, DEMO, "echo", json!({"metadata": {"finalizers": null}})).await?;
    world.end().await
}
