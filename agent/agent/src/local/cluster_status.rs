//! The part of `/status` that only a cluster of Kubernetes has.

use std::sync::Arc;

use agent_kubernetes::apply::ApplyStatus;
use agent_kubernetes::source::{LocalGateways, SourceStatus};
use serde_json::{Value, json};
use tokio::sync::watch;

/// What it is made of. Nothing in it is waited for.
#[derive(Debug, Clone)]
pub struct ClusterStatus {
    /// Each kind that is watched.
    pub watches: SourceStatus,
    /// The MCS controller; none where it is told not to write.
    pub controller: Option<watch::Receiver<Arc<ApplyStatus>>>,
    /// This cluster's gateways.
    pub gateways: watch::Receiver<Arc<LocalGateways>>,
    /// Why some imported ports have no port of the gateways.
    pub ports_problem: watch::Receiver<Option<String>>,
    /// Why the papers are not kept outside the data directory.
    pub papers_problem: watch::Receiver<Option<String>>,
}

impl ClusterStatus {
    /// It, as it is now.
    pub fn render(&self) -> Value {
        let controller = self.controller.as_ref().map(|status| {
            let status = Arc::clone(&status.borrow());
            json!({"ok": status.ok(), "status": *status})
        });
        let gateways = Arc::clone(&self.gateways.borrow());
        let external: Vec<String> = gateways.external.iter().map(|one| one.address.to_string()).collect();
        let (ports, papers) = (self.ports_problem.borrow().clone(), self.papers_problem.borrow().clone());
        json!({
            "watches": self.watches.watches(),
            "controller": controller,
            "gateways": {"ready": gateways.ready, "external": external, "problem": gateways.problem},
            "egress_ports": {"problem": ports},
            "papers": {"problem": papers},
        })
    }
}
