//! A lab of which only the servers run.

use std::sync::Arc;

use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;

/// Three servers. A lab has at least one cluster too, which would share the processors and import everything: its
/// processes are stopped.
pub(crate) async fn only_servers() -> anyhow::Result<Arc<Lab>> {
    let clusters = vec!["idle".parse()?];
    let lab = Lab::temporary(LabSpec { clusters, ports: PortChoice::Random, ..LabSpec::default() }).await?;
    let others: Vec<String> =
        lab.processes().into_keys().filter(|name| !name.starts_with("server-")).collect();
    for name in others {
        lab.stop(&name, true).await?;
    }
    Ok(lab)
}
