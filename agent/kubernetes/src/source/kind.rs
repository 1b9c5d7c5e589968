//! The kinds that are watched: a closed set, for metrics and for people.

use serde::Serialize;

/// A kind of objects in the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Namespaces, their metadata only.
    Namespaces,
    /// Services: what is exported, and the derived ones of ours.
    Services,
    /// EndpointSlices: what is exported, and ours.
    EndpointSlices,
    /// ServiceExports of MCS-API.
    ServiceExports,
    /// ServiceImports of MCS-API.
    ServiceImports,
    /// ClusterProperties of the About API.
    ClusterProperties,
    /// Nodes, while the gateways' Service is of type NodePort.
    Nodes,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Namespaces,
        Self::Services,
        Self::EndpointSlices,
        Self::ServiceExports,
        Self::ServiceImports,
        Self::ClusterProperties,
        Self::Nodes,
    ];

    /// The word for metric labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Services => "services",
            Self::EndpointSlices => "endpoint_slices",
            Self::ServiceExports => "service_exports",
            Self::ServiceImports => "service_imports",
            Self::ClusterProperties => "cluster_properties",
            Self::Nodes => "nodes",
        }
    }

    /// As manifests call one of them.
    pub fn singular(self) -> &'static str {
        match self {
            Self::Namespaces => "Namespace",
            Self::Services => "Service",
            Self::EndpointSlices => "EndpointSlice",
            Self::ServiceExports => "ServiceExport",
            Self::ServiceImports => "ServiceImport",
            Self::ClusterProperties => "ClusterProperty",
            Self::Nodes => "Node",
        }
    }

    /// As people call all of them.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "Namespaces",
            Self::Services => "Services",
            Self::EndpointSlices => "EndpointSlices",
            Self::ServiceExports => "ServiceExports",
            Self::ServiceImports => "ServiceImports",
            Self::ClusterProperties => "ClusterProperties",
            Self::Nodes => "Nodes",
        }
    }

    /// API group; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Namespaces | Self::Services | Self::Nodes => "",
            Self::EndpointSlices => "discovery.k8s.io",
            Self::ServiceExports | Self::ServiceImports => "multicluster.x-k8s.io",
            Self::ClusterProperties => "about.k8s.io",
        }
    }

    /// The resource in URLs and roles.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Services => "services",
            Self::EndpointSlices => "endpointslices",
            Self::ServiceExports => "serviceexports",
            Self::ServiceImports => "serviceimports",
            Self::ClusterProperties => "clusterproperties",
            Self::Nodes => "nodes",
        }
    }

    /// The path of all of them in `version`.
    pub(super) fn path(self, version: &str) -> String {
        match self.group() {
            "" => format!("/api/{version}/{}", self.resource()),
            group => format!("/apis/{group}/{version}/{}", self.resource()),
        }
    }

    /// Whether an export cannot be judged without them.
    pub(super) fn is_local(self) -> bool {
        matches!(self, Self::Namespaces | Self::Services | Self::EndpointSlices | Self::ServiceExports)
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }
}

/// One value for each kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ByKind<T>([T; 7]);

impl<T> ByKind<T> {
    #[expect(clippy::indexing_slicing, reason = "an index of the enum is under the length of the array")]
    pub(super) fn get(&self, kind: Kind) -> &T {
        &self.0[kind.index()]
    }

    #[expect(clippy::indexing_slicing, reason = "an index of the enum is under the length of the array")]
    pub(super) fn get_mut(&mut self, kind: Kind) -> &mut T {
        &mut self.0[kind.index()]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Kind, &T)> {
        Kind::ALL.into_iter().zip(&self.0)
    }
}
