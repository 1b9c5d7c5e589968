//! The ports of a Service, as clients name them.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use federation_model::export::{MAX_PORTS, Protocol};
use federation_model::{ExportKind, PortName, ServicePort};
use k8s_openapi::api::core::v1::{ServicePort as KubePort, ServiceSpec};

use super::{field, shortened};
use crate::local::InvalidExport;

/// Longest `appProtocol`, in bytes: an IANA service name or a qualified name (KEP-2528).
const MAX_APP_PROTOCOL: usize = 253 + 1 + 63;

/// Reads and checks `spec.ports`. Names are unique and, where there are several ports, present; (protocol, number)
/// pairs are unique. Only a headless Service may have none.
pub(super) fn ports(spec: &ServiceSpec, kind: ExportKind) -> Result<Vec<ServicePort>, InvalidExport> {
    let given = spec.ports.as_deref().unwrap_or_default();
    if given.is_empty() && kind != ExportKind::Headless {
        return Err(field("spec.ports", "a Service with a cluster IP needs at least one port"));
    }
    if given.len() > MAX_PORTS {
        return Err(field("spec.ports", format!("{} ports, at most {MAX_PORTS} are allowed", given.len())));
    }
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut ports = Vec::with_capacity(given.len());
    for (index, port) in given.iter().enumerate() {
        let read = one(index, port)?;
        if given.len() > 1 && read.name.is_none() {
            return Err(field(format!("spec.ports[{index}].name"), "several ports need a name each"));
        }
        if let Some(name) = &read.name
            && !names.insert(name.clone())
        {
            return Err(field(format!("spec.ports[{index}].name"), format!("{name} names two ports")));
        }
        if !numbers.insert((read.protocol, read.port)) {
            let problem = format!("{} is there twice for the same protocol", read.port);
            return Err(field(format!("spec.ports[{index}].port"), problem));
        }
        ports.push(read);
    }
    Ok(ports)
}

fn one(index: usize, port: &KubePort) -> Result<ServicePort, InvalidExport> {
    let path = |leaf: &str| format!("spec.ports[{index}].{leaf}");
    let number = u16::try_from(port.port).ok().and_then(NonZeroU16::new);
    let number = number
        .ok_or_else(|| field(path("port"), format!("{} is not a port number; 1 to 65535 are", port.port)))?;
    let protocol = protocol(port.protocol.as_deref()).map_err(|problem| field(path("protocol"), problem))?;
    let name = match port.name.as_deref() {
        None | Some("") => None,
        Some(name) => Some(name.parse::<PortName>().map_err(|wrong| field(path("name"), wrong))?),
    };
    let app_protocol = port.app_protocol.clone().filter(|text| !text.is_empty());
    if let Some(text) = &app_protocol
        && (text.len() > MAX_APP_PROTOCOL || !text.chars().all(|c| c.is_ascii_graphic()))
    {
        let problem = format!("{:?} is not an application protocol", shortened(text));
        return Err(field(path("appProtocol"), problem));
    }
    Ok(ServicePort { name, protocol, app_protocol, port: number })
}

/// The protocol of a port; Kubernetes' default is TCP.
pub(super) fn protocol(text: Option<&str>) -> Result<Protocol, String> {
    match text {
        None | Some("" | "TCP") => Ok(Protocol::Tcp),
        Some("UDP") => Ok(Protocol::Udp),
        Some("SCTP") => Ok(Protocol::Sctp),
        Some(other) => Err(format!("{:?} is not a protocol; TCP, UDP and SCTP are", shortened(other))),
    }
}
