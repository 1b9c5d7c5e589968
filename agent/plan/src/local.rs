//! What this cluster offers, derived from its objects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::{Export, ServiceId, Zone};

/// What this cluster offers, and why some of what was asked for is not offered. What did not change is shared with the
/// view before, so that a copy costs pointers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalView {
    /// Valid exports.
    pub exports: BTreeMap<ServiceId, Arc<LocalExport>>,
    /// ServiceExports that are not valid, and why.
    pub invalid: BTreeMap<ServiceId, InvalidExport>,
}

/// One service that this cluster offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalExport {
    /// As the federation is told. Its generation and first-seen time are zero here.
    pub export: Arc<Export>,
    /// Where it is served in this cluster.
    pub backends: Vec<Backend>,
}

/// One address of this cluster that serves one port of an export.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// The port of the service.
    pub port: NonZeroU16,
    /// The address and port that serve it.
    pub address: SocketAddr,
    /// Whether it may be given traffic.
    pub ready: bool,
    /// The zone it runs in.
    pub zone: Option<Zone>,
}

/// Why a ServiceExport is not valid; the first two are KEP-1645's reasons of the condition `Valid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExport {
    /// `NoService`.
    #[error("there is no Service of this name in this namespace")]
    NoService,
    /// `InvalidServiceType`.
    #[error("a Service of type ExternalName cannot be exported")]
    InvalidServiceType,
    /// Something in the Service or in our annotations cannot be used.
    #[error("{field}: {problem}")]
    Field {
        /// The path of the field, as a person would look for it.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}
