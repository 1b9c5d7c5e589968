//! Resources by type and name, with versions that are hashes of their content.

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::{
    cluster::v3::Cluster, endpoint::v3::ClusterLoadAssignment, listener::v3::Listener,
    route::v3::RouteConfiguration,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};
use sha2::{Digest, Sha256};

/// The types that are served, in the order in which they are sent: a proxy must know what something refers to before
/// it hears of it (xDS protocol, "eventual consistency considerations").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceType {
    /// CDS.
    Cluster,
    /// EDS.
    Endpoint,
    /// LDS.
    Listener,
    /// RDS.
    Route,
    /// SDS.
    Secret,
}

impl ResourceType {
    /// All, in the order of sending.
    pub const ALL: [Self; 5] = [Self::Cluster, Self::Endpoint, Self::Listener, Self::Route, Self::Secret];

    /// Its type URL.
    pub fn type_url(self) -> String {
        match self {
            Self::Cluster => Cluster::type_url(),
            Self::Endpoint => ClusterLoadAssignment::type_url(),
            Self::Listener => Listener::type_url(),
            Self::Route => RouteConfiguration::type_url(),
            Self::Secret => Secret::type_url(),
        }
    }

    /// The type with this URL.
    pub fn of_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_url() == url)
    }

    /// Its short name, for status and logs.
    pub fn short(self) -> &'static str {
        match self {
            Self::Cluster => "cds",
            Self::Endpoint => "eds",
            Self::Listener => "lds",
            Self::Route => "rds",
            Self::Secret => "sds",
        }
    }

    /// Whether a first request without names asks for all (only these two types), and an answer in the state of the
    /// world must hold all, because what is absent is deleted.
    pub fn whole(self) -> bool {
        matches!(self, Self::Cluster | Self::Listener)
    }
}

/// One resource. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Hash of the content.
    pub version: Arc<str>,
    /// The message.
    pub body: Arc<Any>,
}

impl Resource {
    /// Wraps a message. Messages must not hold maps of several entries: protobuf leaves their order open, and equal
    /// contents would get different versions.
    pub fn new<M: Message + Name>(message: &M) -> Self {
        let body = Any { type_url: M::type_url(), value: message.encode_to_vec() };
        Self { version: hash([body.value.as_slice()]).into(), body: Arc::new(body) }
    }
}

/// The resources of one type: those that every proxy of the cluster is told alike, and one proxy's own. Cheap to clone
/// as far as they are shared.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    version: Arc<str>,
    shared: Arc<ByName>,
    own: ByName,
}

/// Resources of one type by name.
pub type ByName = BTreeMap<String, Resource>;

impl Resources {
    /// Resources that all proxies share.
    pub fn shared(by_name: ByName) -> Self {
        Self { version: hash_of(b"", &by_name).into(), shared: Arc::new(by_name), own: ByName::new() }
    }

    /// These in the place of those before: if they are the same, nothing is hashed again.
    #[must_use]
    pub fn followed_by(&self, by_name: ByName) -> Self {
        if *self.shared == by_name && self.own.is_empty() && !self.version.is_empty() {
            return self.clone();
        }
        Self::shared(by_name)
    }

    /// The same, and one proxy's own. A name that is there already stays what it is.
    #[must_use]
    pub fn with(&self, mut own: ByName) -> Self {
        own.retain(|name, _| !self.shared.contains_key(name));
        if own.is_empty() {
            return self.clone();
        }
        let version = hash_of(self.version.as_bytes(), &own).into();
        Self { version, shared: Arc::clone(&self.shared), own }
    }

    /// Hash of all of them.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Resource> {
        self.shared.get(name).or_else(|| self.own.get(name))
    }

    /// All, each once.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Resource)> {
        self.shared.iter().chain(&self.own)
    }
}

/// Everything for one node at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    sequence: u64,
    types: BTreeMap<ResourceType, Resources>,
}

impl Snapshot {
    /// A snapshot of the configuration with this sequence number.
    pub fn new(sequence: u64, resources: impl IntoIterator<Item = (ResourceType, Resources)>) -> Self {
        let mut types: BTreeMap<_, _> = resources.into_iter().collect();
        for kind in ResourceType::ALL {
            types.entry(kind).or_default();
        }
        Self { sequence, types }
    }

    /// Which configuration it was made from: grows with each.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The resources of a type.
    pub fn of(&self, kind: ResourceType) -> &Resources {
        static NONE: std::sync::LazyLock<Resources> = std::sync::LazyLock::new(Resources::default);
        self.types.get(&kind).unwrap_or(&NONE)
    }
}

fn hash_of(before: &[u8], by_name: &ByName) -> String {
    let parts = by_name.iter().flat_map(|(name, resource)| [name.as_bytes(), resource.version.as_bytes()]);
    hash(std::iter::once(before).chain(parts))
}

/// 16 hex digits: enough to tell apart the few versions that a proxy ever compares.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
