//! What the API server holds of what this controller writes, as its watches last said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation_model::{Namespace, ServiceId};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::content::{Condition, DerivedContent, ImportContent, ImportStatus, SliceContent};

/// The state of the API server. Replaced whole at every change; unchanged objects are shared, so that a copy costs
/// pointers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Whether every kind has been listed at least once, apart from those that [`Capabilities`] lacks. Until then
    /// absence proves nothing, and nothing is deleted.
    pub complete: bool,
    /// What this API server knows and lets us do.
    pub capabilities: Capabilities,
    /// Namespaces that exist and are not on their way out.
    pub namespaces: BTreeSet<Namespace>,
    /// Every ServiceExport: its conditions of the types that we set, by type.
    pub exports: BTreeMap<ServiceId, Arc<Held<Vec<Recorded>>>>,
    /// Every ServiceImport, also those of other controllers.
    pub imports: BTreeMap<ServiceId, Arc<Held<HeldImport>>>,
    /// Derived Services of ours, by their own namespace and name.
    pub derived: BTreeMap<ObjectName, Arc<Held<DerivedContent>>>,
    /// EndpointSlices of ours, by their own namespace and name.
    pub slices: BTreeMap<ObjectName, Arc<Held<SliceContent>>>,
    /// ClusterProperties, by name: their value.
    pub properties: BTreeMap<String, Arc<Held<String>>>,
}

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

/// An object that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held<T> {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it is on its way out.
    pub deleting: bool,
    /// Whether it carries our `managed-by` label. What does not is never written or deleted, status apart: the status
    /// of ServiceExports is the controller's.
    pub ours: bool,
    /// The annotation `isthmus.dev/content`: the hash of what we last applied. It tells a label that we should take
    /// away from one that somebody else put there.
    pub applied: Option<String>,
    /// `uid` of the ServiceImport in its `ownerReferences`, if there is just one owner and it is a ServiceImport.
    pub owner: Option<String>,
    /// What it says, in our terms; `None` where it says something that we never write.
    pub content: Option<T>,
}

/// A ServiceImport as it is. Its halves are written apart, so one may be wrong without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldImport {
    /// Its spec, and every label and annotation apart from our own bookkeeping; `None` where it says something that we
    /// never write.
    pub spec: Option<ImportContent>,
    /// Its status; `None` where there is none, or not one of ours.
    pub status: Option<HeldStatus>,
}

/// The status of a ServiceImport as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStatus {
    /// What it says.
    pub status: ImportStatus,
    /// When `Ready` last changed; `None` where that is no time.
    pub since: Option<Time>,
    /// `observedGeneration` of `Ready`.
    pub observed_generation: Option<i64>,
}

/// A condition as an object carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// What it says.
    pub condition: Condition,
    /// `lastTransitionTime`; `None` where that is no time.
    pub since: Option<Time>,
    /// `observedGeneration`.
    pub observed_generation: Option<i64>,
}

/// What this API server knows, found out by asking it, and again whenever it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// ServiceExports are there, in this version.
    pub exports: Option<McsVersion>,
    /// ServiceImports are there, in this version.
    pub imports: Option<McsVersion>,
    /// `ServiceImport.status.endpointSliceObjects` is in the schema.
    pub import_slices_field: bool,
    /// Fields of `ServiceImport.spec` that are not in the schema, as in older definitions: to apply one is refused.
    pub import_lacks: BTreeSet<ImportField>,
    /// ClusterProperties are there.
    pub properties: bool,
}

/// Fields of `ServiceImport.spec` that came after its first definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImportField {
    /// `ipFamilies`.
    IpFamilies,
    /// `internalTrafficPolicy`.
    InternalTrafficPolicy,
    /// `trafficDistribution`.
    TrafficDistribution,
}

impl ImportField {
    /// Every such field.
    pub const ALL: [Self; 3] = [Self::IpFamilies, Self::InternalTrafficPolicy, Self::TrafficDistribution];

    /// Its name in the schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IpFamilies => "ipFamilies",
            Self::InternalTrafficPolicy => "internalTrafficPolicy",
            Self::TrafficDistribution => "trafficDistribution",
        }
    }
}

/// Served versions of `multicluster.x-k8s.io`; their schemas are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum McsVersion {
    /// `v1beta1`, wherever it is served.
    V1Beta1,
    /// `v1alpha1`, on clusters that serve no other.
    V1Alpha1,
}

impl McsVersion {
    /// `v1beta1` or `v1alpha1`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1Alpha1 => "v1alpha1",
        }
    }
}
