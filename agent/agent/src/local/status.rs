//! `/status`: what this agent does and knows, for people and for `isthmus-lab`.

use std::sync::{Arc, OnceLock};

use agent_plan::plan::imports;
use agent_plan::{LocalView, PlanConfig};
use federation_client::{AgentHandle, ItemState};
use federation_model::{FederationView, InstanceId};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::cluster_status::ClusterStatus;
use crate::control::Gateways;
use crate::source::SourceState;
use crate::xds::XdsStatus;

/// Everything that the page is made of. Nothing in it is waited for.
#[derive(Debug, Clone)]
pub struct StatusPage {
    /// This cluster.
    pub plan: PlanConfig,
    /// This installation of the agent.
    pub instance: InstanceId,
    /// The conversation with the federation, once it has begun.
    pub upstream: Arc<OnceLock<AgentHandle>>,
    /// Why it has not begun, where somebody must do something.
    pub joining: watch::Receiver<Option<String>>,
    /// What the source says.
    pub source: watch::Receiver<Arc<SourceState>>,
    /// What this cluster offers.
    pub local: watch::Receiver<Arc<LocalView>>,
    /// The view in force.
    pub view: watch::Receiver<Arc<FederationView>>,
    /// What the gateways said.
    pub gateways: Gateways,
    /// What the Envoys have.
    pub xds: XdsStatus,
    /// What only a cluster of Kubernetes has.
    pub kubernetes: Option<ClusterStatus>,
}

impl StatusPage {
    /// The page, as it is now.
    pub fn render(&self) -> Value {
        let local = Arc::clone(&self.local.borrow());
        let view = Arc::clone(&self.view.borrow());
        let mut page = json!({
            "cluster": self.plan.cluster,
            "instance": self.instance,
            "trust_domain": self.plan.trust_domain,
            "upstream": self.upstream(&view),
            "source": self.source(),
            "exports": self.exports(&local),
            "imports": self.imports(&view, &local),
            "gateways": self.gateways(),
            "xds": self.xds(),
        });
        if let Some(kubernetes) = &self.kubernetes {
            merge(&mut page, json!({"kubernetes": kubernetes.render()}));
        }
        page
    }

    fn upstream(&self, view: &FederationView) -> Value {
        let Some(handle) = self.upstream.get() else {
            let problem = self.joining.borrow().clone();
            return json!({"connected": false, "server": null, "revision": view.revision, "age_millis": null,
                          "problem": problem.as_deref().unwrap_or("not a member yet")});
        };
        let upstream = handle.upstream.borrow().clone();
        let lease = handle.lease.borrow().clone();
        json!({
            "connected": upstream.is_connected(),
            "server": upstream.server,
            "revision": upstream.revision,
            "applied_revision": view.revision,
            "age_millis": upstream.heard.map(|heard| u64::try_from(heard.elapsed().as_millis()).unwrap_or(u64::MAX)),
            "problem": upstream.problem,
            "lease": {"until_unix_millis": lease.until, "problem": lease.problem},
            "registration": state(&handle.publish.borrow().registration),
        })
    }

    fn source(&self) -> Value {
        let source = self.source.borrow();
        json!({"ok": source.ok(), "loaded": source.loaded, "problems": source.problems})
    }

    fn exports(&self, local: &LocalView) -> Vec<Value> {
        let published =
            self.upstream.get().map(|handle| handle.publish.borrow().exports.clone()).unwrap_or_default();
        let mut all: Vec<Value> = Vec::new();
        for (service, invalid) in &local.invalid {
            all.push(
                json!({"service": service.to_string(), "state": "invalid", "reason": invalid.to_string(),
                            "revision": null}),
            );
        }
        for (service, own) in &local.exports {
            let mut export = state(published.get(service).unwrap_or(&ItemState::Pending));
            merge(
                &mut export,
                json!({"service": service.to_string(), "ready": own.export.ready(),
                                      "total": own.export.total()}),
            );
            all.push(export);
        }
        for service in published.keys() {
            if !local.exports.contains_key(service) && !local.invalid.contains_key(service) {
                all.push(
                    json!({"service": service.to_string(), "state": "pending", "reason": "being withdrawn",
                                "revision": null}),
                );
            }
        }
        all
    }

    fn imports(&self, view: &FederationView, local: &LocalView) -> Vec<Value> {
        let imported = imports(view, local, &self.plan).into_iter();
        let shown = imported.map(|imported| {
            let conflicts: Vec<&str> = imported.import.conflicts.keys().map(|c| c.reason()).collect();
            json!({
                "service": imported.import.service.to_string(),
                "host": imported.import.service.host(),
                "kind": format!("{:?}", imported.import.kind),
                "vip": imported.vip.first(),
                "vips": imported.vip,
                "clusters": imported.import.clusters,
                "conflicts": conflicts,
            })
        });
        shown.collect()
    }

    fn gateways(&self) -> Vec<Value> {
        let all = self.gateways.all().into_iter();
        all.map(|(name, gateway)| {
            json!({"name": name, "version": gateway.version, "problems": gateway.problems,
                   "connected": gateway.watching > 0})
        })
        .collect()
    }

    fn xds(&self) -> Vec<Value> {
        let nodes = self.xds.nodes().into_iter();
        nodes
            .map(|(node, status)| {
                json!({"node": node, "acked": status.acked, "rejected": status.rejected,
                       "last_error": status.last_error})
            })
            .collect()
    }
}

fn state(state: &ItemState) -> Value {
    match state {
        ItemState::Pending => json!({"state": "pending", "reason": null, "revision": null}),
        ItemState::Committed { revision, .. } => {
            json!({"state": "committed", "reason": null, "revision": revision})
        }
        ItemState::Refused { reason, message, .. } => {
            json!({"state": "refused", "reason": format!("{reason}: {message}"), "revision": null})
        }
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}
