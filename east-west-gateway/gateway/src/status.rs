//! `/status`: what the gateway does now, for people and for the laboratory.

use std::sync::Arc;

use federation_model::data_plane::{GatewayConfig, IngressRoute, ServicePortId};
use federation_model::export::ExportScope;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::config_source::Followed;
use crate::egress::{EgressState, ListenerState, ListenerStatus};
use crate::metrics::Direction;
use crate::plane::Plane;

/// What the page is made from.
#[derive(Debug, Clone)]
pub struct StatusPage {
    /// The gateway's name.
    pub name: String,
    /// The data plane.
    pub plane: Arc<Plane>,
    /// The egress listeners.
    pub egress: watch::Receiver<EgressState>,
    /// Where it stands with the agent.
    pub followed: watch::Receiver<Followed>,
}

impl StatusPage {
    /// The page, as of now.
    pub fn render(&self) -> Value {
        let applied = self.plane.current();
        let config = applied.as_ref().map(|applied| &applied.config);
        let followed = self.followed.borrow().clone();
        let identity = self.plane.identity.get();
        json!({
            "gateway": self.name,
            "cluster": config.map(|config| config.cluster.to_string()),
            "version": applied.as_ref().map(|applied| applied.version.clone()),
            "agent": { "connected": followed.connected, "problem": followed.problem },
            "identity": identity.map(|identity| json!({
                "id": identity.id().to_string(),
                "not_after": unix_seconds(identity.not_after()),
            })),
            "ingress": config.map(ingress).unwrap_or_default(),
            "egress": self.egress.borrow().listeners.iter().map(listener).collect::<Vec<_>>(),
            "connections": {
                "ingress": self.plane.tracker.count(Direction::Ingress),
                "egress": self.plane.tracker.count(Direction::Egress),
            },
        })
    }
}

fn ingress(config: &GatewayConfig) -> Vec<Value> {
    config.ingress.iter().map(route).collect()
}

fn route((target, route): (&ServicePortId, &IngressRoute)) -> Value {
    let scope = match &route.scope {
        ExportScope::All => json!("all"),
        ExportScope::Clusters(named) => json!(named),
    };
    json!({
        "service": target.service.to_string(),
        "port": target.port,
        "mode": if route.end_to_end { "EndToEnd" } else { "Gateway" },
        "scope": scope,
        "endpoints": route.endpoints.len(),
    })
}

fn listener(listener: &ListenerStatus) -> Value {
    let (state, error) = match &listener.state {
        ListenerState::Listening => ("listening", None),
        ListenerState::Failed(error) => ("failed", Some(error)),
    };
    json!({
        "listen": listener.listen.to_string(),
        "service": listener.target.service.to_string(),
        "port": listener.target.port,
        "state": state,
        "error": error,
    })
}

fn unix_seconds(time: std::time::SystemTime) -> u64 {
    time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}
