//! What the controller's decisions are made from, besides what it observes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::data_plane::ServicePortId;
use federation_model::{IpFamily, ServiceId, TrustDomain};

use super::catalogue::Catalogue;
use crate::plan::PlanConfig;

/// Everything known of the federation and of this cluster.
#[derive(Debug, Clone)]
pub struct Input {
    /// The plan's configuration: cluster, VIP view.
    pub plan: Arc<PlanConfig>,
    /// `clusterset.k8s.io`.
    pub clusterset: TrustDomain,
    /// Families that pods of this cluster can dial, best first; never empty.
    pub families: Vec<IpFamily>,
    /// What the federation and this cluster offer.
    pub catalogue: Arc<Catalogue>,
    /// How far each offer is; an offer that is not in here has not been sent.
    pub offers: Arc<BTreeMap<ServiceId, Offer>>,
    /// Addresses of this cluster's gateways that are ready for egress.
    pub gateways: BTreeSet<IpAddr>,
    /// Where the gateways listen for each imported port.
    pub listen_ports: Arc<BTreeMap<ServicePortId, NonZeroU16>>,
}

/// How far an offer is on its way into the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Sent, or about to be.
    Pending,
    /// On disk on a majority of the servers.
    Committed,
    /// Refused, and why.
    Refused(String),
}
