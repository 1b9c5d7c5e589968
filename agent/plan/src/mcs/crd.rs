//! The custom resources, as they travel: `multicluster.x-k8s.io` ServiceExport and ServiceImport (v1beta1 and v1alpha1,
//! whose schemas are the same) and `about.k8s.io` ClusterProperty.
//!
//! Every API server has its own version of the definitions, and some will be newer than this. So unknown fields are
//! passed over, and a part whose shape is not known is [`Lenient::Unknown`] instead of an error: one strange object
//! must not stop a watch of all the others. Sizes are those that the API server lets through, a few MiB an object;
//! [`parse`](super::parse) keeps only what is bounded.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The API group of ServiceExports and ServiceImports.
pub const MCS_GROUP: &str = "multicluster.x-k8s.io";
/// The API group of ClusterProperties.
pub const ABOUT_GROUP: &str = "about.k8s.io";
/// The version of ClusterProperties.
pub const ABOUT_VERSION: &str = "v1beta1";

/// A part of an object that is read if it has the shape that is known here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Lenient<T> {
    /// It has.
    Known(T),
    /// It is of another schema, or not set.
    Unknown(Value),
}

impl<T> Lenient<T> {
    /// The part, where its shape is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(part) => Some(part),
            Self::Unknown(_) => None,
        }
    }
}

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self::Unknown(Value::Null)
    }
}

/// A ServiceExport.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceExport {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(default)]
    pub spec: Lenient<ServiceExportSpec>,
    /// What became of it.
    #[serde(default)]
    pub status: Lenient<ServiceExportStatus>,
}

/// `ServiceExport.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceExportSpec {
    /// Labels for the ServiceImport.
    #[serde(default)]
    pub exported_labels: Option<BTreeMap<String, String>>,
    /// Annotations for the ServiceImport.
    #[serde(default)]
    pub exported_annotations: Option<BTreeMap<String, String>>,
}

/// `ServiceExport.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceExportStatus {
    /// Conditions, ours and others'.
    #[serde(default)]
    pub conditions: Option<Vec<Lenient<Condition>>>,
}

/// A ServiceImport.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceImport {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What it is.
    #[serde(default)]
    pub spec: Lenient<ServiceImportSpec>,
    /// Where it comes from.
    #[serde(default)]
    pub status: Lenient<ServiceImportStatus>,
}

/// `ServiceImport.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportSpec {
    /// Ports.
    #[serde(default)]
    pub ports: Option<Vec<ServicePort>>,
    /// VIPs.
    #[serde(default)]
    pub ips: Option<Vec<String>>,
    /// `ClusterSetIP` or `Headless`.
    #[serde(default, rename = "type")]
    pub type_: String,
    /// `None` or `ClientIP`.
    #[serde(default)]
    pub session_affinity: Option<String>,
    /// How long affinity lasts.
    #[serde(default)]
    pub session_affinity_config: Option<SessionAffinityConfig>,
    /// Families of `ips`.
    #[serde(default)]
    pub ip_families: Option<Vec<String>>,
    /// `Cluster` or `Local`.
    #[serde(default)]
    pub internal_traffic_policy: Option<String>,
    /// As a Service's.
    #[serde(default)]
    pub traffic_distribution: Option<String>,
}

/// A port of a ServiceImport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Default TCP.
    #[serde(default)]
    pub protocol: Option<String>,
    /// What is spoken.
    #[serde(default)]
    pub app_protocol: Option<String>,
    /// Its number.
    pub port: i64,
}

/// `sessionAffinityConfig` (core/v1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAffinityConfig {
    /// Of `ClientIP`.
    #[serde(default, rename = "clientIP")]
    pub client_ip: Option<ClientIpConfig>,
}

/// `sessionAffinityConfig.clientIP` (core/v1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientIpConfig {
    /// Seconds.
    #[serde(default)]
    pub timeout_seconds: Option<i64>,
}

/// `ServiceImport.status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceImportStatus {
    /// Exporters.
    #[serde(default)]
    pub clusters: Option<Vec<ClusterStatus>>,
    /// Conditions, ours and others'.
    #[serde(default)]
    pub conditions: Option<Vec<Lenient<Condition>>>,
    /// `Present` or `Absent`; not in every version of the definition.
    #[serde(default)]
    pub endpoint_slice_objects: Option<String>,
}

/// An exporter, in a ServiceImport's status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Its id.
    pub cluster: String,
}

/// A condition (meta/v1), with its time as text: a time that cannot be read must not make the object unreadable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, for programs.
    #[serde(default)]
    pub reason: String,
    /// Why, for people.
    #[serde(default)]
    pub message: String,
    /// When `status` last changed.
    #[serde(default)]
    pub last_transition_time: Option<String>,
    /// `metadata.generation` that it is about.
    #[serde(default)]
    pub observed_generation: Option<i64>,
}

/// A ClusterProperty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterProperty {
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Its value.
    #[serde(default)]
    pub spec: Lenient<ClusterPropertySpec>,
}

/// `ClusterProperty.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPropertySpec {
    /// Up to 128,000 characters.
    pub value: String,
}
