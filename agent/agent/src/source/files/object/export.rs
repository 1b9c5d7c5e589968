//! ServiceExport of `multicluster.x-k8s.io`, by hand: k8s-openapi holds only what is built into Kubernetes. The
//! schemas of v1beta1 and v1alpha1 are the same (KEP-1645).

use std::collections::BTreeMap;

use agent_plan::objects::ServiceExport;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;

/// As it is written. The status is the controller's and not read.
#[derive(Debug, Deserialize)]
pub(super) struct ServiceExportDocument {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    exported_labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    exported_annotations: Option<BTreeMap<String, String>>,
}

impl From<ServiceExportDocument> for ServiceExport {
    fn from(document: ServiceExportDocument) -> Self {
        let spec = document.spec.unwrap_or_default();
        Self {
            annotations: document.metadata.annotations.unwrap_or_default(),
            exported_labels: spec.exported_labels.unwrap_or_default(),
            exported_annotations: spec.exported_annotations.unwrap_or_default(),
        }
    }
}
