//! What a cluster sees of the catalogue, piece by piece: the unit of a watch.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundle;
use crate::cluster::Cluster;
use crate::export::Export;
use crate::ids::{ClusterId, ServiceId};
use crate::trust_domain::TrustDomain;
use crate::vip::Vip;

/// Names one piece of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ItemKey {
    /// A cluster.
    Cluster(ClusterId),
    /// The bundle of a trust domain.
    Bundle(TrustDomain),
    /// The VIP of a service.
    Vip(ServiceId),
    /// One cluster's export of a service.
    Export(ServiceId, ClusterId),
}

/// One piece of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// A cluster.
    Cluster(Cluster),
    /// A bundle.
    Bundle(Bundle),
    /// A service's VIP.
    Vip(ServiceId, Vip),
    /// An export.
    Export(Arc<Export>),
}

impl Item {
    /// The name of this piece.
    pub fn key(&self) -> ItemKey {
        match self {
            Self::Cluster(cluster) => ItemKey::Cluster(cluster.id.clone()),
            Self::Bundle(bundle) => ItemKey::Bundle(bundle.trust_domain.clone()),
            Self::Vip(service, _) => ItemKey::Vip(service.clone()),
            Self::Export(export) => ItemKey::Export(export.service.clone(), export.cluster.clone()),
        }
    }
}
