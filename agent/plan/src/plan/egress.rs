//! What local clients may call: every imported TCP port, with its targets in failover order.

use std::sync::Arc;

use federation_model::ImportPort;
use federation_model::data_plane::{OutboundPort, ServicePortId, Target, TargetGroup};
use federation_model::export::Protocol;
use federation_model::failover::{self, Ranked};

use super::accepted::{Service, Surroundings};
use super::targets;
use crate::app_protocol::app_protocol;

/// The TCP ports behind the VIP. A port that nobody can serve at the moment stays, without groups: its listener
/// then refuses at once, and does not come and go with the readiness of other clusters.
pub(super) fn ports(
    service: &Service<'_>,
    surroundings: &Surroundings,
) -> Vec<(ServicePortId, OutboundPort)> {
    let Some(vip) = service.vip() else { return Vec::new() };
    let vip = surroundings.vip_view.addresses(vip);
    let tcp = service.import.ports.iter().filter(|merged| merged.port.protocol == Protocol::Tcp);
    tcp.map(|merged| {
        let id = ServicePortId { service: service.id.clone(), port: merged.port.port };
        let groups = groups(service, merged, surroundings);
        (id, OutboundPort { vip: vip.clone(), listen_port: None, app: app_protocol(&merged.port), groups })
    })
    .collect()
}

/// One group for each tier that has a target now. Clusters that say that nothing is ready, and clusters without a
/// known way in, have none.
fn groups(service: &Service<'_>, merged: &ImportPort, surroundings: &Surroundings) -> Arc<Vec<TargetGroup>> {
    let exports = service.exports.iter().map(AsRef::as_ref);
    let ranked = failover::rank_port(&surroundings.cluster, &surroundings.clusters, exports, merged);
    let tiers = ranked.chunk_by(|a, b| a.tier == b.tier);
    let groups = tiers.map(|tier| TargetGroup { targets: tier_targets(service, merged, tier, surroundings) });
    Arc::new(groups.filter(|group| !group.targets.is_empty()).collect())
}

fn tier_targets(
    service: &Service<'_>,
    merged: &ImportPort,
    tier: &[Ranked],
    surroundings: &Surroundings,
) -> Vec<Target> {
    let port = merged.port.port;
    let mut targets = Vec::new();
    for Ranked { cluster, .. } in tier {
        if cluster == &surroundings.cluster {
            targets.extend(service.own.into_iter().flat_map(|own| targets::local(own, port, surroundings)));
        } else if let Some(export) = service.exports.iter().find(|export| &export.cluster == cluster)
            && let Some(cluster) = surroundings.clusters.get(cluster)
        {
            targets.extend(targets::remote(export, port, cluster));
        }
    }
    targets::reduce_weights(&mut targets);
    targets
}
