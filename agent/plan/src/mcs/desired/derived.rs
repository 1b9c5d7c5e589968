//! Derived Services: what makes every node's kube-proxy carry an import's VIPs to the local gateways.

use federation_model::export::Protocol;
use federation_model::{ServiceId, ServicePort};

use crate::mcs::content::{DerivedContent, ImportContent};
use crate::mcs::metadata;
use crate::mcs::names;
use crate::mcs::observed::ObjectName;

/// The derived Service of an import, if it has a VIP and a TCP port. It does not depend on who is alive: it stays as
/// long as the import does.
pub(super) fn derived(id: &ServiceId, import: &ImportContent) -> Option<(ObjectName, DerivedContent)> {
    if import.ips.is_empty() {
        return None;
    }
    let tcp = import.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let mut ports: Vec<ServicePort> = tcp.map(renamed).collect();
    ports.sort_by_key(|port| port.port);
    if ports.is_empty() {
        return None;
    }
    let content = DerivedContent { import: id.clone(), ports, selector: false, vips: import.ips.clone() };
    Some((names::derived_name(id), content))
}

fn renamed(port: &ServicePort) -> ServicePort {
    ServicePort {
        name: names::derived_port_name(port.port),
        app_protocol: port.app_protocol.clone().filter(|text| metadata::qualified_name(text)),
        ..port.clone()
    }
}
