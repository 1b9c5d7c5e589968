//! Who asks: an Envoy's node and what it says about itself in its metadata.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::{Struct, Value, value::Kind};
use federation_model::data_plane::ServicePortId;
use federation_model::{Namespace, ServiceId, ServiceName};
use serde::{Deserialize, Serialize};

/// Longest node id, in bytes.
pub const MAX_NODE_ID: usize = 256;
/// Most inbound listeners of one node.
pub const MAX_INBOUND: usize = 64;
/// The key of our part of a node's metadata.
pub const METADATA_KEY: &str = "isthmus";

/// One proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its id, which names it in status.
    pub id: String,
    /// What it wants.
    pub meta: NodeMeta,
}

/// What a proxy says about itself, under `isthmus` in its node's metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeMeta {
    /// Where to listen as an HTTP proxy for imported services; none: no such listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound: Option<SocketAddr>,
    /// Whether to bind the VIPs of TCP services. Otherwise their listeners exist without a socket, for redirected
    /// connections.
    pub bind_vips: bool,
    /// The namespace of its workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The service account of its workload. With the namespace it makes the identity; without both there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Services whose mTLS it ends (`EndToEnd`).
    pub inbound: Vec<Inbound>,
}

/// A service that the proxy's workload serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// The service.
    pub service: ServiceName,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its port, as callers name it.
    pub port: NonZeroU16,
    /// Where to take mTLS connections.
    pub listen: SocketAddr,
    /// Where the workload listens.
    pub backend: SocketAddr,
}

impl Inbound {
    /// The port that is served.
    pub fn service_port(&self) -> ServicePortId {
        let service = ServiceId { namespace: self.namespace.clone(), name: self.service.clone() };
        ServicePortId { service, port: self.port }
    }
}

/// Why a node cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNode {
    /// The first request of a stream has no node.
    #[error("the first request of a stream must carry a node")]
    Missing,
    /// The id is empty or too long.
    #[error("node id has {0} bytes; 1 to {MAX_NODE_ID} are allowed")]
    Id(usize),
    /// The metadata says something that we do not understand.
    #[error("node metadata {METADATA_KEY:?} is invalid")]
    Metadata(#[source] serde_json::Error),
    /// Too many inbound listeners.
    #[error("node metadata has {0} inbound listeners, more than {MAX_INBOUND}")]
    TooManyInbound(usize),
}

impl NodeInfo {
    /// Reads the node of a stream's first request.
    pub fn parse(node: Option<&Node>) -> Result<Self, InvalidNode> {
        let node = node.ok_or(InvalidNode::Missing)?;
        if node.id.is_empty() || node.id.len() > MAX_NODE_ID {
            return Err(InvalidNode::Id(node.id.len()));
        }
        let ours = node.metadata.as_ref().and_then(|all| all.fields.get(METADATA_KEY));
        let meta: NodeMeta = match ours {
            None => NodeMeta::default(),
            Some(value) => serde_json::from_value(json(value)).map_err(InvalidNode::Metadata)?,
        };
        if meta.inbound.len() > MAX_INBOUND {
            return Err(InvalidNode::TooManyInbound(meta.inbound.len()));
        }
        Ok(Self { id: node.id.clone(), meta })
    }
}

/// As JSON. The depth is bounded by the decoder of the message.
fn json(value: &Value) -> serde_json::Value {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => serde_json::Value::Null,
        Some(Kind::BoolValue(value)) => (*value).into(),
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::NumberValue(number)) => json_number(*number),
        Some(Kind::ListValue(list)) => list.values.iter().map(json).collect(),
        Some(Kind::StructValue(fields)) => json_object(fields),
    }
}

fn json_object(fields: &Struct) -> serde_json::Value {
    fields.fields.iter().map(|(key, value)| (key.clone(), json(value))).collect()
}

/// Protobuf's JSON numbers are all floating; what is whole must be readable as an integer.
fn json_number(number: f64) -> serde_json::Value {
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    if whole {
        format!("{number:.0}").parse::<u32>().map_or_else(|_| number.into(), Into::into)
    } else {
        number.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value { kind: Some(Kind::StringValue(text.to_owned())) }
    }

    fn object(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        let fields = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Value { kind: Some(Kind::StructValue(Struct { fields })) }
    }

    fn node(ours: Value) -> Node {
        let Some(Kind::StructValue(metadata)) = object([(METADATA_KEY, ours), ("OTHER", text("x"))]).kind
        else {
            unreachable!("an object is a struct")
        };
        Node { id: "a".to_owned(), metadata: Some(metadata), ..Node::default() }
    }

    #[test]
    fn reads_what_a_proxy_says() {
        let inbound = object([
            ("service", text("echo")),
            ("namespace", text("demo")),
            ("port", Value { kind: Some(Kind::NumberValue(80.0)) }),
            ("listen", text("127.0.0.1:15006")),
            ("backend", text("127.0.0.1:8080")),
        ]);
        let list = envoy_types::pb::google::protobuf::ListValue { values: vec![inbound] };
        let ours = object([
            ("outbound", text("127.0.0.1:15001")),
            ("bind_vips", Value { kind: Some(Kind::BoolValue(true)) }),
            ("namespace", text("demo")),
            ("service_account", text("client")),
            ("inbound", Value { kind: Some(Kind::ListValue(list)) }),
        ]);
        let read = NodeInfo::parse(Some(&node(ours))).unwrap();
        assert_eq!(read.meta.outbound, Some("127.0.0.1:15001".parse().unwrap()));
        assert!(read.meta.bind_vips);
        assert_eq!(
            read.meta.inbound[0].service_port().sni(),
            "outbound_.80_._.echo.demo.svc.clusterset.local"
        );
        // What we write in a bootstrap is what we read.
        let written = serde_json::to_value(&read.meta).unwrap();
        assert_eq!(serde_json::from_value::<NodeMeta>(written).unwrap(), read.meta);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let says = |node: Option<&Node>| NodeInfo::parse(node).unwrap_err().to_string();
        assert!(says(None).contains("must carry a node"));
        assert!(says(Some(&Node::default())).contains("0 bytes"));
        let long = Node { id: "x".repeat(MAX_NODE_ID + 1), ..Node::default() };
        assert!(says(Some(&long)).contains("257 bytes"));
        for wrong in [object([("outbond", text("x"))]), object([("outbound", text("nowhere"))]), text("x")] {
            assert!(says(Some(&node(wrong))).contains("invalid"));
        }
    }
}
