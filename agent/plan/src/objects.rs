//! The cluster's own objects, as whatever source read them: the `files` source and the `kubernetes` source
//! feed exactly this.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation_model::{Namespace, ServiceId};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::{Deserialize, Serialize};

/// Every object that matters to federation, indexed by what refers to it. Replaced whole at every change: what did not
/// change is shared with the one before, so that a copy costs pointers, and equal pointers mean equal objects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalObjects {
    /// Namespaces that exist and are not on their way out.
    pub namespaces: BTreeSet<Namespace>,
    /// Services by namespace and name.
    pub services: BTreeMap<ServiceId, Arc<Service>>,
    /// EndpointSlices by the service that their `kubernetes.io/service-name` label names, then by their own name.
    pub slices: BTreeMap<ServiceId, Arc<Slices>>,
    /// ServiceExports by the service of the same namespace and name.
    pub exports: BTreeMap<ServiceId, Arc<ServiceExport>>,
}

/// The EndpointSlices of one service, by name.
pub type Slices = BTreeMap<String, Arc<EndpointSlice>>;

/// `multicluster.x-k8s.io` ServiceExport, v1beta1 or v1alpha1 (their schemas are the same, KEP-1645), without status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceExport {
    /// Annotations of the object itself: ours are read from here (`isthmus.dev/...`).
    pub annotations: BTreeMap<String, String>,
    /// `spec.exportedLabels`.
    pub exported_labels: BTreeMap<String, String>,
    /// `spec.exportedAnnotations`.
    pub exported_annotations: BTreeMap<String, String>,
}
