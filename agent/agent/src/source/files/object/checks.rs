//! The rules of admission that this project relies on: names, port numbers, protocols, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use federation_model::ids::InvalidId;
use federation_model::{Namespace, PortName, ServiceId};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Wrong;
use crate::source::files::yaml::FieldPath;

/// Label of an EndpointSlice that names its Service (discovery/v1).
const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Longest name of an EndpointSlice: an RFC 1123 subdomain.
const MAX_SUBDOMAIN: usize = 253;

/// `metadata.name`.
pub(super) fn name<T: FromStr<Err = InvalidId>>(metadata: &ObjectMeta) -> Result<T, Wrong> {
    parse(metadata.name.as_deref(), FieldPath::of(&["metadata", "name"]))
}

/// `metadata.namespace`. There is no default namespace here: nobody chose one.
pub(super) fn namespace(metadata: &ObjectMeta) -> Result<Namespace, Wrong> {
    parse(metadata.namespace.as_deref(), FieldPath::of(&["metadata", "namespace"]))
}

fn parse<T: FromStr<Err = InvalidId>>(text: Option<&str>, path: FieldPath) -> Result<T, Wrong> {
    match text {
        None => Err((path, "is missing".to_owned())),
        Some(text) => text.parse().map_err(|wrong: InvalidId| (path, wrong.to_string())),
    }
}

/// Ports of a Service.
pub(super) fn service(service: &Service) -> Result<(), Wrong> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    for (index, port) in ports.iter().enumerate() {
        let path = FieldPath::of(&["spec", "ports"]).index(index);
        port_number(port.port, path.clone().key("port"))?;
        protocol(port.protocol.as_deref(), path.clone().key("protocol"))?;
        port_name(port.name.as_deref(), path.key("name"))?;
    }
    Ok(())
}

/// Ports and addresses of an EndpointSlice. Gives its name, and its Service if its label names one.
pub(super) fn slice(slice: &EndpointSlice) -> Result<(String, Option<ServiceId>), Wrong> {
    let namespace = namespace(&slice.metadata)?;
    let name = subdomain(&slice.metadata)?;
    address_type(&slice.address_type)?;
    for (index, port) in slice.ports.iter().flatten().enumerate() {
        let path = FieldPath::of(&["ports"]).index(index);
        if let Some(number) = port.port {
            port_number(number, path.clone().key("port"))?;
        }
        protocol(port.protocol.as_deref(), path.clone().key("protocol"))?;
        port_name(port.name.as_deref(), path.key("name"))?;
    }
    for (index, endpoint) in slice.endpoints.iter().flatten().enumerate() {
        let path = FieldPath::of(&["endpoints"]).index(index).key("addresses");
        if endpoint.addresses.is_empty() {
            return Err((path, "has no address".to_owned()));
        }
        for (place, text) in endpoint.addresses.iter().enumerate() {
            address(&slice.address_type, text, path.clone().index(place))?;
        }
    }
    let label = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME));
    let Some(label) = label.filter(|label| !label.is_empty()) else { return Ok((name, None)) };
    let path = FieldPath::of(&["metadata", "labels", SERVICE_NAME]);
    let service = label.parse().map_err(|wrong: InvalidId| (path, wrong.to_string()))?;
    Ok((name, Some(ServiceId { namespace, name: service })))
}

fn port_number(number: i32, path: FieldPath) -> Result<(), Wrong> {
    match number {
        1..=65_535 => Ok(()),
        _ => Err((path, format!("{number} is not a port number; 1 to 65535 are"))),
    }
}

fn protocol(text: Option<&str>, path: FieldPath) -> Result<(), Wrong> {
    match text {
        None | Some("" | "TCP" | "UDP" | "SCTP") => Ok(()),
        Some(other) => Err((path, format!("{:?} is not a protocol; TCP, UDP and SCTP are", short(other)))),
    }
}

fn port_name(text: Option<&str>, path: FieldPath) -> Result<(), Wrong> {
    match text {
        None | Some("") => Ok(()),
        Some(text) => parse::<PortName>(Some(text), path).map(|_| ()),
    }
}

fn address_type(text: &str) -> Result<(), Wrong> {
    match text {
        "IPv4" | "IPv6" | "FQDN" => Ok(()),
        other => {
            let problem = format!("{:?} is not an address type; IPv4, IPv6 and FQDN are", short(other));
            Err((FieldPath::of(&["addressType"]), problem))
        }
    }
}

fn address(kind: &str, text: &str, path: FieldPath) -> Result<(), Wrong> {
    let valid = match kind {
        "IPv4" => text.parse::<Ipv4Addr>().map(IpAddr::from).is_ok(),
        "IPv6" => text.parse::<Ipv6Addr>().map(IpAddr::from).is_ok(),
        _ => true,
    };
    if valid { Ok(()) } else { Err((path, format!("{:?} is not an {kind} address", short(text)))) }
}

fn subdomain(metadata: &ObjectMeta) -> Result<String, Wrong> {
    let path = || FieldPath::of(&["metadata", "name"]);
    let name = metadata.name.as_deref().ok_or_else(|| (path(), "is missing".to_owned()))?;
    if name.len() > MAX_SUBDOMAIN {
        return Err((path(), format!("has {} bytes, more than {MAX_SUBDOMAIN}", name.len())));
    }
    let label = |label: &str| federation_model::ids::check_label("a part of the name", label);
    name.split('.').try_for_each(label).map_err(|wrong| (path(), wrong.to_string()))?;
    Ok(name.to_owned())
}

fn short(text: &str) -> String {
    text.chars().take(64).collect()
}
