//! A service is exported in west, appears in east with everything that a pod there needs, and goes again.

use multi_cluster_e2e_kube::Kind;

use crate::world::{DEMO, KubeWorld};

#[tokio::test(flavor = "multi_thread")]
async fn an_export_becomes_an_import_everywhere_and_goes_with_its_last_export() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    east.gateway_pod().await?;
    west.service("echo").await?;
    west.export("echo").await?;

    let import = east.imported("echo").await?;
    assert_eq!(import["spec"]["type"], "ClusterSetIP");
    assert_eq!(import["spec"]["ports"][0]["port"], 80);
    assert_eq!(import["status"]["clusters"][0]["cluster"], "west");
    let vip = import["spec"]["ips"][0].as_str().unwrap_or_default().to_owned();
    assert!(vip.starts_with("240.240."), "{import}");
    assert_eq!(
        west.imported("echo").await?["spec"]["ips"][0],
        vip.as_str(),
        "one VIP for the whole federation"
    );
    assert_eq!(west.condition("echo", "Valid", "True").await?.0, "Valid");
    assert_eq!(west.condition("echo", "Ready", "True").await?.0, "Exported");
    assert_eq!(west.condition("echo", "Conflict", "False").await?.0, "NoConflicts");

    // What kube-proxy reads: the VIP, and the gateway's address behind it.
    let derived = east.carrying(&vip, "echo").await?;
    let name = derived["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!(derived["spec"]["loadBalancerClass"], "isthmus.dev/vip");
    assert_eq!(derived["metadata"]["ownerReferences"][0]["kind"], "ServiceImport");
    let slice = east.slice(&format!("kubernetes.io/service-name={name}")).await?;
    assert_eq!(slice["endpoints"][0]["addresses"][0], east.gateway.to_string());
    let of_west =
        "multicluster.kubernetes.io/service-name=echo,multicluster.kubernetes.io/source-cluster=west";
    east.slice(of_west).await?;

    west.objects.delete(Kind::SERVICE_EXPORT, DEMO, "echo").await?;
    for cluster in [east, west] {
        cluster.gone(Kind::SERVICE_IMPORT, "echo").await?;
    }
    east.gone(Kind::SERVICE, &name).await?;
    world.end().await
}
