//! The EndpointSlices of a Service: its backends, counted by zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use federation_model::endpoint::MAX_ENDPOINTS;
use federation_model::export::{Locality, MAX_LOCALITIES, Protocol};
use federation_model::{Endpoint, PortName, ServicePort, Zone};
use k8s_openapi::api::discovery::v1::{Endpoint as KubeEndpoint, EndpointSlice};

use super::{field, ports, shortened};
use crate::local::{Backend, InvalidExport};
use crate::objects::Slices;

/// What the slices of one Service amount to.
#[derive(Debug, Default)]
pub(super) struct Served {
    pub(super) backends: Vec<Backend>,
    pub(super) localities: Vec<Locality>,
    pub(super) endpoints: Vec<Endpoint>,
}

/// One server, however many slices name it: consumers of EndpointSlices must expect duplicates (discovery/v1).
type ServerKey = (IpAddr, Vec<MatchedPort>);

/// A port of the service and where a slice says it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MatchedPort {
    protocol: Protocol,
    port: NonZeroU16,
    target: NonZeroU16,
}

/// Reads the slices, in the order of their names. Slices of FQDNs are passed over: they hold no address to dial.
pub(super) fn read(
    slices: Option<&Slices>,
    service_ports: &[ServicePort],
    default_zone: Option<&Zone>,
) -> Result<Served, InvalidExport> {
    let mut servers: BTreeMap<ServerKey, Endpoint> = BTreeMap::new();
    for (name, slice) in slices.into_iter().flatten() {
        if slice.address_type == "FQDN" {
            continue;
        }
        let matched = matched_ports(name, slice, service_ports)?;
        if matched.is_empty() && !service_ports.is_empty() {
            continue;
        }
        for (index, given) in slice.endpoints.iter().flatten().enumerate() {
            let endpoint = one(name, index, given, default_zone)?;
            let known =
                servers.entry((endpoint.address, matched.clone())).or_insert_with(|| endpoint.clone());
            known.ready |= endpoint.ready;
        }
        if servers.len() > MAX_ENDPOINTS {
            return Err(field("EndpointSlices", format!("more than {MAX_ENDPOINTS} endpoints")));
        }
    }
    summed_up(servers)
}

fn summed_up(servers: BTreeMap<ServerKey, Endpoint>) -> Result<Served, InvalidExport> {
    let mut backends = BTreeMap::new();
    let mut localities: BTreeMap<Option<Zone>, (u32, u32)> = BTreeMap::new();
    let mut endpoints = BTreeSet::new();
    for ((address, ports), endpoint) in servers {
        let (ready, total) = localities.entry(endpoint.zone.clone()).or_default();
        *ready += u32::from(endpoint.ready);
        *total += 1;
        // Only TCP is ever dialled, and a backend does not say its protocol.
        for MatchedPort { port, target, .. } in ports.into_iter().filter(|m| m.protocol == Protocol::Tcp) {
            let address = SocketAddr::new(address, target.get());
            let fresh = || Backend { port, address, ready: false, zone: endpoint.zone.clone() };
            backends.entry((port, address)).or_insert_with(fresh).ready |= endpoint.ready;
        }
        endpoints.insert(endpoint);
    }
    if localities.len() > MAX_LOCALITIES {
        return Err(field("EndpointSlices", format!("more than {MAX_LOCALITIES} zones")));
    }
    Ok(Served {
        backends: backends.into_values().collect(),
        localities: localities
            .into_iter()
            .map(|(zone, (ready, total))| Locality { zone, ready, total })
            .collect(),
        endpoints: endpoints.into_iter().collect(),
    })
}

/// Which port of the service is served at which port of the slice: matched by name and protocol. A slice port
/// without a number stands for all ports (discovery/v1) and says nothing that could be dialled.
fn matched_ports(
    name: &str,
    slice: &EndpointSlice,
    service_ports: &[ServicePort],
) -> Result<Vec<MatchedPort>, InvalidExport> {
    let mut matched = BTreeSet::new();
    for (index, port) in slice.ports.iter().flatten().enumerate() {
        let path = |leaf: &str| format!("EndpointSlice {name}: ports[{index}].{leaf}");
        let Some(number) = port.port else { continue };
        let number = u16::try_from(number)
            .ok()
            .and_then(NonZeroU16::new)
            .ok_or_else(|| field(path("port"), format!("{number} is not a port number; 1 to 65535 are")))?;
        let protocol =
            ports::protocol(port.protocol.as_deref()).map_err(|problem| field(path("protocol"), problem))?;
        let own = port.name.as_deref().filter(|text| !text.is_empty());
        for service_port in service_ports {
            let wanted = service_port.name.as_ref().map(PortName::as_str);
            if wanted == own && service_port.protocol == protocol {
                matched.insert(MatchedPort { protocol, port: service_port.port, target: number });
            }
        }
    }
    Ok(matched.into_iter().collect())
}

fn one(
    slice: &str,
    index: usize,
    given: &KubeEndpoint,
    default_zone: Option<&Zone>,
) -> Result<Endpoint, InvalidExport> {
    let path = |leaf: &str| format!("EndpointSlice {slice}: endpoints[{index}].{leaf}");
    // All addresses of an endpoint are the same server and consumers use the first (discovery/v1 Endpoint).
    let text = given.addresses.first().ok_or_else(|| field(path("addresses"), "has no address"))?;
    let address: IpAddr = text
        .parse()
        .map_err(|_| field(path("addresses[0]"), format!("{:?} is not an IP address", shortened(text))))?;
    let zone = match given.zone.as_deref() {
        None | Some("") => default_zone.cloned(),
        Some(zone) => Some(zone.parse().map_err(|wrong| field(path("zone"), wrong))?),
    };
    let hostname = match given.hostname.as_deref() {
        None | Some("") => None,
        Some(hostname) => Some(hostname.parse().map_err(|wrong| field(path("hostname"), wrong))?),
    };
    // "A nil value should be interpreted as true" (discovery/v1 EndpointConditions).
    let ready = given.conditions.as_ref().and_then(|c| c.ready).unwrap_or(true);
    Ok(Endpoint { address, hostname, zone, ready })
}
