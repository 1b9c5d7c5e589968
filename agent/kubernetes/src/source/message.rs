//! What the watches tell the publisher.

use std::time::Instant;

use agent_plan::mcs::observed::Capabilities;

use super::kind::Kind;
use super::wire::{
    ExportItem, ImportItem, Item, Key, NamespaceItem, NodeItem, PropertyItem, ServiceItem, SliceItem,
};
use crate::connect::Trouble;

/// One step of a watch, or of the discovery.
#[derive(Debug)]
pub(super) enum Message {
    /// Objects changed.
    Changed {
        /// Which, and how.
        update: Box<Update>,
        /// The version of the kind after it.
        version: String,
        /// When the last byte of it was received.
        at: Instant,
    },
    /// A bookmark: nothing changed up to this version.
    Seen(Kind, String),
    /// A watch is about to list, for this reason.
    Lists(Kind, Why),
    /// A watch runs.
    Watches(Kind),
    /// A request failed.
    Failed(Kind, Trouble),
    /// The kind is not watched.
    Off(Kind, Off),
    /// What the API server serves.
    Capabilities(Capabilities),
    /// It could not be found out what the API server serves.
    DiscoveryFailed(Trouble),
}

/// Why a kind is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Why {
    /// For the first time.
    First,
    /// The version that we had is too old for the API server: 410.
    Gone,
}

/// Why a kind is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Off {
    /// Its CRD is not installed, or was removed.
    NotServed,
    /// Nothing needs it.
    NotWanted,
}

/// A change of one kind.
#[derive(Debug)]
pub(super) enum Update {
    Namespaces(Change<NamespaceItem>),
    Services(Change<ServiceItem>),
    EndpointSlices(Change<SliceItem>),
    ServiceExports(Change<ExportItem>),
    ServiceImports(Change<ImportItem>),
    ClusterProperties(Change<PropertyItem>),
    Nodes(Change<NodeItem>),
}

impl Update {
    /// Of which kind.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Namespaces(_) => Kind::Namespaces,
            Self::Services(_) => Kind::Services,
            Self::EndpointSlices(_) => Kind::EndpointSlices,
            Self::ServiceExports(_) => Kind::ServiceExports,
            Self::ServiceImports(_) => Kind::ServiceImports,
            Self::ClusterProperties(_) => Kind::ClusterProperties,
            Self::Nodes(_) => Kind::Nodes,
        }
    }
}

/// How objects of one kind changed.
#[derive(Debug)]
pub(super) enum Change<T> {
    /// All of them, by a list that was read to its end.
    Replace(Vec<Item<T>>),
    /// One was created or changed.
    Set(Item<T>),
    /// One was deleted.
    Remove(Key),
}
