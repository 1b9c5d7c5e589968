//! What others may call here.

use std::collections::BTreeSet;
use std::sync::Arc;

use federation_model::data_plane::{IngressRoute, ServicePortId};
use federation_model::export::{ExportScope, MAX_NAMES};

use super::{ConvertError, Problem, field, service_port};
use crate::gateway as wire;

impl TryFrom<wire::IngressRoute> for (ServicePortId, IngressRoute) {
    type Error = ConvertError;
    fn try_from(from: wire::IngressRoute) -> Result<Self, ConvertError> {
        let id = service_port(&from.namespace, &from.service, from.port)?;
        let scope = match (from.all_clusters, from.clusters) {
            (true, named) if named.is_empty() => ExportScope::All,
            (true, _) => {
                let problem = Problem::Contradiction("clusters are named although all may call");
                return Err(ConvertError::new("clusters", problem));
            }
            (false, named) => ExportScope::Clusters(field::texts("clusters", named, MAX_NAMES)?),
        };
        let endpoints: BTreeSet<_> =
            field::list("endpoints", from.endpoints, usize::MAX, |text| field::socket_address("", &text))?;
        Ok((id, IngressRoute { scope, end_to_end: from.end_to_end, endpoints: Arc::new(endpoints) }))
    }
}

impl From<(&ServicePortId, &IngressRoute)> for wire::IngressRoute {
    fn from((id, route): (&ServicePortId, &IngressRoute)) -> Self {
        let (all_clusters, clusters) = match &route.scope {
            ExportScope::All => (true, Vec::new()),
            ExportScope::Clusters(named) => (false, named.iter().map(ToString::to_string).collect()),
        };
        Self {
            namespace: id.service.namespace.to_string(),
            service: id.service.name.to_string(),
            port: id.port.get().into(),
            all_clusters,
            clusters,
            end_to_end: route.end_to_end,
            endpoints: route.endpoints.iter().map(ToString::to_string).collect(),
        }
    }
}
