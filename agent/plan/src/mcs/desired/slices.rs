//! EndpointSlices: where kube-proxy finds the gateways, and KEP-1645's word on what each cluster exports.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use federation_model::data_plane::ServicePortId;
use federation_model::export::Protocol;
use federation_model::{ClusterId, Endpoint, ExportKind, IpFamily, ServiceId, ServicePort};

use super::DesiredSlice;
use super::services::Service;
use crate::mcs::catalogue::Exporter;
use crate::mcs::content::{DerivedContent, ImportContent, SliceContent, SliceEndpoint, SlicePort, SliceRole};
use crate::mcs::input::Input;
use crate::mcs::metadata;
use crate::mcs::names;
use crate::mcs::observed::{ObjectName, Observed};

/// Most endpoints of one slice (discovery/v1).
pub(in crate::mcs) const MAX_SLICE: usize = 1_000;

/// The local gateways, by family.
pub(super) type Gateways = BTreeMap<IpFamily, Vec<IpAddr>>;

/// Gateways that are ready. While none is known to be, those of the derived slices that are there already: to point
/// at nothing is no better, and at an agent's start nothing is known yet.
pub(super) fn gateways(input: &Input, observed: &Observed) -> Gateways {
    let held = observed.slices.values().filter(|held| held.ours).filter_map(|held| held.content.as_ref());
    let held = held.filter(|slice| matches!(slice.role, SliceRole::Derived { .. }));
    let known: BTreeSet<IpAddr> = if input.gateways.is_empty() {
        held.flat_map(|slice| slice.endpoints.iter().map(|endpoint| endpoint.address)).collect()
    } else {
        input.gateways.clone()
    };
    let mut gateways = Gateways::new();
    for address in known.into_iter().filter(|address| fits_a_slice(*address)).take(MAX_SLICE) {
        gateways.entry(IpFamily::of(address)).or_default().push(address);
    }
    gateways
}

/// The slices behind a derived Service, one for each family of its VIPs that has a gateway.
pub(super) fn of_derived(
    slices: &mut BTreeMap<ObjectName, DesiredSlice>,
    name: &ObjectName,
    derived: &DerivedContent,
    input: &Input,
    gateways: &Gateways,
) {
    let ports: Vec<SlicePort> =
        derived.ports.iter().filter_map(|port| listening(&derived.import, port, input)).collect();
    for family in derived.vips.iter().map(|vip| IpFamily::of(*vip)) {
        let Some(addresses) = gateways.get(&family) else { continue };
        let content = SliceContent {
            role: SliceRole::Derived { service: name.name.clone() },
            family,
            ports: ports.clone(),
            endpoints: addresses.iter().map(|address| gateway(*address, true)).collect(),
        };
        let slice = DesiredSlice { import: derived.import.clone(), content };
        slices.insert(names::derived_slice_name(name, family), slice);
    }
}

/// The slices of the exporters that are alive. This cluster itself is.
pub(super) fn of_exporters(
    slices: &mut BTreeMap<ObjectName, DesiredSlice>,
    service: &Service<'_>,
    import: &ImportContent,
    input: &Input,
    gateways: &Gateways,
) {
    let alive =
        |cluster: &ClusterId| cluster == &input.plan.cluster || input.catalogue.alive.contains(cluster);
    for cluster in service.import.clusters.iter().filter(|cluster| alive(cluster)) {
        let Some(exporter) = service.exporter(cluster) else { continue };
        let ports = match import.kind {
            ExportKind::Headless => exporter.ports.iter().map(as_exported).collect(),
            ExportKind::ClusterSetIp => ports_behind_gateways(service, cluster, input),
        };
        if ports.is_empty() && import.kind == ExportKind::ClusterSetIp {
            continue;
        }
        for family in &import.families {
            let endpoints = match import.kind {
                ExportKind::Headless => own_endpoints(exporter, *family),
                ExportKind::ClusterSetIp => {
                    let addresses = gateways.get(family).map(Vec::as_slice).unwrap_or_default();
                    addresses.iter().map(|address| gateway(*address, exporter.ready)).collect()
                }
            };
            for (index, part) in endpoints.chunks(MAX_SLICE).enumerate() {
                let content = SliceContent {
                    role: SliceRole::Mcs { service: service.id.clone(), source: cluster.clone() },
                    family: *family,
                    ports: ports.clone(),
                    endpoints: part.to_vec(),
                };
                let name = names::mcs_slice_name(service.id, cluster, *family, index);
                slices.insert(name, DesiredSlice { import: service.id.clone(), content });
            }
        }
    }
}

/// The TCP ports that this exporter serves: traffic to a port goes to no other (KEP-1645).
fn ports_behind_gateways(service: &Service<'_>, cluster: &ClusterId, input: &Input) -> Vec<SlicePort> {
    let served = service.import.ports.iter().filter(|merged| merged.clusters.contains(cluster));
    let tcp = served.filter(|merged| merged.port.protocol == Protocol::Tcp);
    tcp.filter_map(|merged| listening(service.id, &merged.port, input)).collect()
}

/// Where the gateways listen for a port; `None` while they do not.
fn listening(service: &ServiceId, port: &ServicePort, input: &Input) -> Option<SlicePort> {
    let id = ServicePortId { service: service.clone(), port: port.port };
    Some(SlicePort { port: *input.listen_ports.get(&id)?, ..as_exported(port) })
}

fn as_exported(port: &ServicePort) -> SlicePort {
    SlicePort {
        name: port.name.clone(),
        protocol: port.protocol,
        app_protocol: port.app_protocol.clone().filter(|text| metadata::qualified_name(text)),
        port: port.port,
    }
}

fn gateway(address: IpAddr, ready: bool) -> SliceEndpoint {
    SliceEndpoint { address, ready, hostname: None, zone: None }
}

/// Sorted, so that the order in which an exporter names them does not matter.
fn own_endpoints(exporter: &Exporter, family: IpFamily) -> Vec<SliceEndpoint> {
    let fits =
        |endpoint: &&Endpoint| IpFamily::of(endpoint.address) == family && fits_a_slice(endpoint.address);
    let endpoints = exporter.endpoints.iter().filter(fits).map(|endpoint| SliceEndpoint {
        address: endpoint.address,
        ready: endpoint.ready,
        hostname: endpoint.hostname.as_ref().map(ToString::to_string),
        zone: endpoint.zone.clone(),
    });
    endpoints.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Addresses that the API server refuses would cost the whole slice (core/v1, validation of endpoints' addresses).
fn fits_a_slice(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !(link_local || address.is_unspecified() || address.is_loopback() || address.is_multicast())
}
