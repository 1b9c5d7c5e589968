//! DNS records of one service (KEP-1645, "Multicluster DNS"; its DNS specification).

use std::collections::BTreeSet;
use std::net::IpAddr;

use federation_model::{Export, ExportKind};

use super::accepted::{Service, Surroundings};
use crate::desired::{DnsEndpoint, DnsKind, DnsPort, DnsService};

/// `None` where the name does not exist (yet): no VIP, or no ready endpoint of a headless service.
pub(super) fn records(service: &Service<'_>, surroundings: &Surroundings) -> Option<DnsService> {
    let kind = match service.import.kind {
        ExportKind::ClusterSetIp => DnsKind::Vip(surroundings.vip_view.addresses(service.vip()?)),
        ExportKind::Headless => DnsKind::Headless(endpoints(service, surroundings)?),
    };
    let ports = service.import.ports.iter().map(|merged| DnsPort {
        name: merged.port.name.clone(),
        protocol: merged.port.protocol,
        port: merged.port.port.get(),
    });
    Some(DnsService { kind, ports: ports.collect() })
}

/// Ready endpoints of the exporters whose kind won, in families that this cluster uses.
fn endpoints(service: &Service<'_>, surroundings: &Surroundings) -> Option<BTreeSet<DnsEndpoint>> {
    let counts = |export: &&Export| service.import.clusters.contains(&export.cluster);
    let exports = service.exports.iter().map(AsRef::as_ref);
    let found: BTreeSet<DnsEndpoint> = exports
        .filter(counts)
        .flat_map(|export| export.endpoints.iter().map(move |endpoint| (export, endpoint)))
        .filter(|(_, endpoint)| endpoint.ready && surroundings.vip_view.uses(endpoint.address))
        .map(|(export, endpoint)| DnsEndpoint {
            cluster: export.cluster.clone(),
            hostname: match &endpoint.hostname {
                Some(name) => name.as_str().to_owned(),
                None => label(endpoint.address),
            },
            address: endpoint.address,
        })
        .collect();
    (!found.is_empty()).then_some(found)
}

/// An address as a DNS label: `10-0-0-1`, `fd00-0-0-0-0-0-0-1`. IPv6 in full, since a label may not begin with `-`.
fn label(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string().replace('.', "-"),
        IpAddr::V6(v6) => v6.segments().map(|segment| format!("{segment:x}")).join("-"),
    }
}
