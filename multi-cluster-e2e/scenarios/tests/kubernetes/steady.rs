//! Nothing changes, and nothing is written; not even by an agent that starts anew.

use std::collections::BTreeSet;

use multi_cluster_e2e_kube::Kind;
use multi_cluster_e2e_kube::audit::AuditEvent;
use serde_json::Value;

use crate::world::{DEMO, KubeWorld, PATIENCE};
use crate::world_cluster::KubeCluster;

/// What a new export makes an agent write.
const OF_EXPORTS: [&str; 5] = ["services", "endpointslices", "serviceimports", "serviceexports", "events"];

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_writes_nothing_when_nothing_changes_also_after_a_restart() -> anyhow::Result<()> {
    let world = KubeWorld::start().await?;
    let (east, west) = (world.east(), world.west());
    for cluster in [east, west] {
        cluster.gateway_pod().await?;
    }
    let memories = [world.memory(east).await?, world.memory(west).await?];
    for name in ["one", "two", "three"] {
        west.service(name).await?;
        complete(&world, name).await?;
    }
    let names = [written_names(east).await?, written_names(west).await?];
    let marks = [east.api.audit_mark()?, west.api.audit_mark()?];

    // The worst that a kill can leave behind: a view from before all of this.
    for (cluster, memory) in [east, west].into_iter().zip(memories) {
        world.kill_agent(cluster).await?;
        world.remembers(cluster, &memory)?;
        world.start_agent(cluster)?;
    }
    // When a new service has come all the way, each agent has read, compared and written whatever it wanted to.
    west.service("last").await?;
    complete(&world, "last").await?;

    for ((cluster, mark), names) in [east, west].into_iter().zip(&marks).zip(&names) {
        let needless = |event: &AuditEvent| {
            let about = event.object_ref.clone().unwrap_or_default();
            event.user.username == "agent"
                && (names.contains(&about.name) || !OF_EXPORTS.contains(&about.resource.as_str()))
        };
        let writes = cluster.api.audit_writes(mark)?;
        let needless: Vec<String> = writes.iter().filter(|w| needless(w)).map(AuditEvent::brief).collect();
        assert_eq!(needless, Vec::<String>::new(), "in {} nothing of that had changed", cluster.place.id);
    }
    world.end().await
}

/// Exports a service of west and waits until both clusters have all that comes of it.
async fn complete(world: &KubeWorld, name: &str) -> anyhow::Result<()> {
    let (east, west) = (world.east(), world.west());
    west.export(name).await?;
    west.condition(name, "Ready", "True").await?;
    west.condition(name, "Conflict", "False").await?;
    for cluster in [east, west] {
        // The field is written once the agent knows that this CRD has it, which the API server tells some seconds late.
        let told = |import: Option<&Value>| {
            let import = import.filter(|import| import["status"]["endpointSliceObjects"] == "Present")?;
            Some(import["spec"]["ips"][0].clone())
        };
        let vip = cluster.objects.until(Kind::SERVICE_IMPORT, (DEMO, name), PATIENCE, told).await?;
        cluster.carrying(vip.as_str().unwrap_or_default(), name).await?;
        let idle = |status: &Value| {
            let controller = &status["kubernetes"]["controller"]["status"];
            (controller["pending"] == 0 && controller["in_flight"] == 0).then_some(())
        };
        world.status_says(cluster, "the controller to have nothing left to do", idle).await?;
    }
    Ok(())
}

/// The names of everything that an agent may have written here.
async fn written_names(cluster: &KubeCluster) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for kind in [Kind::SERVICE, Kind::ENDPOINT_SLICE, Kind::SERVICE_IMPORT, Kind::SERVICE_EXPORT] {
        for object in cluster.objects.list(kind, DEMO, "").await? {
            names.extend(object["metadata"]["name"].as_str().map(str::to_owned));
        }
    }
    Ok(names)
}
