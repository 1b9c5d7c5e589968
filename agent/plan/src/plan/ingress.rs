//! What other clusters may call here, through this cluster's gateways.

use std::collections::BTreeSet;
use std::sync::Arc;

use federation_model::ExportKind;
use federation_model::data_plane::{IngressRoute, ServicePortId};
use federation_model::export::Protocol;

use super::accepted::Service;

/// The TCP ports of this cluster's own export, if another cluster may call it. Ports that lost a conflict in this
/// cluster's own merge are among them: an importer that sees fewer exporters may have merged otherwise.
pub(super) fn routes(service: &Service<'_>) -> Vec<(ServicePortId, IngressRoute)> {
    let Some(own) = service.own else { return Vec::new() };
    let export = &own.export;
    if export.kind != ExportKind::ClusterSetIp || !export.reachable_from_outside() || !service.has_vip() {
        return Vec::new();
    }
    let tcp = export.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| {
        let ready = own.backends.iter().filter(|backend| backend.ready && backend.port == port.port);
        let endpoints: BTreeSet<_> = ready.map(|backend| backend.address).collect();
        let id = ServicePortId { service: service.id.clone(), port: port.port };
        let scope = export.scope.clone();
        (id, IngressRoute { scope, end_to_end: export.mtls.is_end_to_end(), endpoints: Arc::new(endpoints) })
    })
    .collect()
}
