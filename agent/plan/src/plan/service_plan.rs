//! The plan of one service.

use std::sync::Arc;

use federation_model::ServiceId;
use federation_model::data_plane::{IngressRoute, OutboundPort, ServicePortId};

use super::accepted::{Given, Service, Surroundings};
use super::{dns, egress, ingress};
use crate::desired::DnsService;

/// What one service adds to the desired state. Where gateways listen is not in it: that is not the service's to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServicePlan {
    pub(super) dns: Option<Arc<DnsService>>,
    pub(super) ingress: Vec<(ServicePortId, IngressRoute)>,
    pub(super) egress: Vec<(ServicePortId, OutboundPort)>,
}

impl ServicePlan {
    pub(super) fn of(id: &ServiceId, given: &Given, surroundings: &Surroundings) -> Self {
        let Some(service) = Service::of(id, given, &surroundings.cluster) else { return Self::default() };
        Self {
            dns: dns::records(&service, surroundings).map(Arc::new),
            ingress: ingress::routes(&service),
            egress: egress::ports(&service, surroundings),
        }
    }
}
