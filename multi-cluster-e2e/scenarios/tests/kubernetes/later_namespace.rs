//! The importing cluster gets the namespace only after the export was made, and loses it again.

use multi_cluster_e2e_kube::Kind;
use serde_json::Value;

use crate::world::{DEMO, KubeWorld, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn an_import_comes_with_its_namespace_and_never_holds_it_up() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    let gone = |found: Option<&Value>| found.is_none().then_some(());
    east.objects.delete(Kind::NAMESPACE, "", DEMO).await?;
    east.objects.until(Kind::NAMESPACE, ("", DEMO), PATIENCE, gone).await?;
    west.service("echo").await?;
    west.export("echo").await?;
    // West imports it as well, so by then east knows of it and has nowhere to put it.
    west.imported("echo").await?;
    assert!(east.objects.get(Kind::NAMESPACE, "", DEMO).await?.is_none(), "a namespace was made");

    east.objects.namespace(DEMO).await?;
    east.imported("echo").await?;
    // Nothing of ours has a finalizer: the namespace goes, and the agent does not fill it again while it does.
    east.objects.delete(Kind::NAMESPACE, "", DEMO).await?;
    east.objects.until(Kind::NAMESPACE, ("", DEMO), PATIENCE, gone).await?;
    east.objects.namespace(DEMO).await?;
    east.imported("echo").await?;
    world.end().await
}
