//! The API servers say what is so: conditions of the export, the import in each cluster, the cluster's own name.

use anyhow::ensure;

use crate::kind::stage::{SOON, Stage, WEST};
use crate::samples::NAMESPACE;
use crate::wait::{Seen, until};

pub(in crate::kind) async fn run(stage: &Stage) -> anyhow::Result<String> {
    let lab = &stage.lab;
    for condition in ["Valid", "Ready"] {
        let wanted = format!("--for=condition={condition}");
        lab.kubectl(WEST, &["-n", NAMESPACE, "wait", &wanted, "serviceexport/echo", "--timeout=30s"]).await?;
    }
    let jsonpath = "jsonpath={.spec.type} {.spec.ips[0]} {.status.clusters[*].cluster}";
    let address = stage.address("echo").await?;
    let wanted = format!("ClusterSetIP {address} {WEST}");
    for cluster in &lab.clusters {
        let look = || async {
            let said = lab
                .kubectl(cluster, &["-n", NAMESPACE, "get", "serviceimport", "echo", "-o", jsonpath])
                .await?;
            Ok(if said.trim() == wanted { Seen::Done(()) } else { Seen::NotYet(said) })
        };
        until(&format!("ServiceImport echo of {cluster} to say {wanted}"), SOON, look).await?;
        let property =
            ["get", "clusterproperty", "cluster.clusterset.k8s.io", "-o", "jsonpath={.spec.value}"];
        let id = lab.kubectl(cluster, &property).await?;
        ensure!(id == *cluster, "the ClusterProperty of {cluster} says {id}");
    }
    Ok(format!(
        "ServiceExport echo of {WEST} is Valid and Ready; ServiceImport echo is \"{wanted}\" in {}; each knows its own name",
        lab.clusters.join(", ")
    ))
}
