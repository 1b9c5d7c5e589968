//! Clusters without the CRDs, or with an older one, or that lose them.

use multi_cluster_e2e_kube::{Kind, crds};
use serde_json::{Value, json};

use crate::world::{Crds, DEMO, KubeWorld, PATIENCE};

const IMPORTS: &str = "serviceimports.multicluster.x-k8s.io";

#[tokio::test(flavor = "multi_thread")]
async fn crds_may_come_later_and_go_and_come_back() -> anyhow::Result<()> {
    let world = KubeWorld::without_agents(Crds::MissingInWest).await?;
    world.start_agents().await?;
    let (east, west) = (world.east(), world.west());
    let says_so = |status: &Value| status.to_string().contains("multicluster.x-k8s.io").then_some(());
    world.status_says(west, "the agent to name the CRDs that are missing", says_so).await?;

    west.api.install_crds(&crds::ours()?).await?;
    west.service("echo").await?;
    west.export("echo").await?;
    east.imported("echo").await?;
    west.imported("echo").await?;

    // Imports cannot be kept in east any more; exports go on.
    east.objects.delete(Kind::CRD, "", IMPORTS).await?;
    east.objects.until(Kind::CRD, ("", IMPORTS), PATIENCE, |found| found.is_none().then_some(())).await?;
    east.service("second").await?;
    east.export("second").await?;
    west.imported("second").await?;
    east.api.install_crds(&crds::ours()?).await?;
    east.imported("echo").await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_serves_only_v1alpha1_takes_part() -> anyhow::Result<()> {
    let world = KubeWorld::without_agents(Crds::MissingInWest).await?;
    let (east, west) = (world.east(), world.west());
    for path in crds::ours()? {
        let mut crd = crds::read(&path)?;
        if crd["spec"]["group"] == "multicluster.x-k8s.io" {
            let versions = crd["spec"]["versions"].as_array().cloned().unwrap_or_default();
            let mut only = versions
                .iter()
                .find(|v| v["name"] == "v1alpha1")
                .or_else(|| versions.first())
                .cloned()
                .unwrap_or_default();
            only["name"] = "v1alpha1".into();
            only["served"] = true.into();
            only["storage"] = true.into();
            crd["spec"]["versions"] = json!([only]);
        }
        crds::install_one(&west.objects, crd).await?;
    }
    world.start_agents().await?;
    west.service("echo").await?;
    west.objects
        .apply(json!({
            "apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport",
            "metadata": {"namespace": DEMO, "name": "echo"},
        }))
        .await?;
    east.imported("echo").await?;
    let old = Kind::new("multicluster.x-k8s.io", "v1alpha1", "ServiceImport");
    west.objects.until(old, (DEMO, "echo"), PATIENCE, |found| found.map(|_| ())).await?;
    world.end().await
}
