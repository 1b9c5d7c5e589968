//! The configuration that an Envoy is started with to get all others from this agent.

use std::net::SocketAddr;

use federation_kit::grpc::LocalAddr;
use serde_json::{Value, json};

use super::node::{METADATA_KEY, NodeMeta};

/// Which of the two protocols the Envoy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Only what changed.
    Delta,
    /// The state of the world.
    Sotw,
}

/// An Envoy.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// Names it in the agent's status.
    pub node_id: String,
    /// Names its group in its own statistics.
    pub node_cluster: String,
    /// What it wants, and who it is.
    pub meta: NodeMeta,
    /// Where it serves its own administration. Port 0: `--admin-address-path` says which.
    pub admin: SocketAddr,
    /// Where the agent is.
    pub agent: LocalAddr,
    /// How it speaks to the agent.
    pub protocol: Protocol,
}

/// The cluster under which an Envoy knows the agent.
const AGENT: &str = "isthmus_agent";

/// The bootstrap as JSON, which is also YAML: `envoy -c <file>.json` or `.yaml`.
pub fn render(bootstrap: &Bootstrap) -> String {
    format!("{:#}", value(bootstrap))
}

fn value(bootstrap: &Bootstrap) -> Value {
    let agent = match &bootstrap.agent {
        LocalAddr::Unix(path) => json!({ "pipe": { "path": path } }),
        LocalAddr::Tcp(address) => socket(*address),
    };
    let api = match bootstrap.protocol {
        Protocol::Delta => "DELTA_GRPC",
        Protocol::Sotw => "GRPC",
    };
    let ads = json!({ "ads": {}, "resource_api_version": "V3" });
    let meta = serde_json::to_value(&bootstrap.meta).unwrap_or_default();
    let endpoint = json!({ "endpoint": { "address": agent } });
    json!({
        "node": { "id": bootstrap.node_id, "cluster": bootstrap.node_cluster, "metadata": { METADATA_KEY: meta } },
        "admin": { "address": socket(bootstrap.admin) },
        "dynamic_resources": {
            "ads_config": {
                "api_type": api,
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{ "envoy_grpc": { "cluster_name": AGENT } }],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {
            "clusters": [{
                "name": AGENT,
                "type": "STATIC",
                "connect_timeout": "1s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {
                            // An agent that is gone without a word is noticed, and asked for again.
                            "http2_protocol_options": {
                                "connection_keepalive": { "interval": "10s", "timeout": "5s" },
                            },
                        },
                    },
                },
                "load_assignment": {
                    "cluster_name": AGENT,
                    "endpoints": [{ "lb_endpoints": [endpoint] }],
                },
            }],
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
