//! What a name under `clusterset.local` asks for.

use agent_plan::desired::DnsTable;
use federation_model::export::Protocol;
use federation_model::{Namespace, ServiceId, ServiceName};
use hickory_proto::rr::Name;

/// The zone, as labels from the right.
const ZONE: [&[u8]; 2] = [b"local", b"clusterset"];

/// What a name in the zone stands for. Names are read from the right: what is left of the service says which part of
/// it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `clusterset.local`.
    Apex,
    /// `dns-version.clusterset.local`.
    Version,
    /// `svc.clusterset.local`: has names below it, and no records.
    Services,
    /// `<ns>.svc...`: has names below it if the namespace has services, and no records.
    Namespace(Namespace),
    /// `<svc>.<ns>.svc...`.
    Service(ServiceId),
    /// `_<proto>.<svc>...`: has names below it if the service has a named port of the protocol, and no records.
    PortsOf(ServiceId, Protocol),
    /// `_<port>._<proto>.<svc>...`.
    Port {
        /// The service.
        service: ServiceId,
        /// The port's name.
        name: String,
        /// Its protocol.
        protocol: Protocol,
    },
    /// `<cluster>.<svc>...`: reserved, never has records.
    Cluster(ServiceId, String),
    /// `<hostname>.<cluster>.<svc>...`.
    Endpoint {
        /// The service.
        service: ServiceId,
        /// The cluster.
        cluster: String,
        /// The endpoint's label.
        hostname: String,
    },
    /// Anything else: does not exist.
    Nothing,
}

/// Whether `name` is in `clusterset.local`, compared without case (RFC 4343).
pub fn in_zone(name: &Name) -> bool {
    let mut labels = name.iter().rev();
    ZONE.iter().all(|zone| labels.next().is_some_and(|label| label.eq_ignore_ascii_case(zone)))
}

/// Reads a name of the zone; `None` if it is of another.
pub fn read(name: &Name) -> Option<Asked> {
    if !in_zone(name) {
        return None;
    }
    // From the right, lower case. A label that is not text cannot name anything of ours.
    let labels: Option<Vec<String>> = name
        .iter()
        .rev()
        .skip(ZONE.len())
        .map(|label| std::str::from_utf8(label).ok().map(str::to_ascii_lowercase))
        .collect();
    let Some(labels) = labels else { return Some(Asked::Nothing) };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    Some(match labels.as_slice() {
        [] => Asked::Apex,
        ["dns-version"] => Asked::Version,
        ["svc"] => Asked::Services,
        ["svc", namespace] => namespace.parse().map_or(Asked::Nothing, Asked::Namespace),
        ["svc", namespace, service, rest @ ..] => match service_id(namespace, service) {
            Some(service) => below_service(service, rest),
            None => Asked::Nothing,
        },
        _ => Asked::Nothing,
    })
}

fn below_service(service: ServiceId, rest: &[&str]) -> Asked {
    match *rest {
        [] => Asked::Service(service),
        [proto] if proto.starts_with('_') => match protocol(proto) {
            Some(protocol) => Asked::PortsOf(service, protocol),
            None => Asked::Nothing,
        },
        [cluster] => Asked::Cluster(service, cluster.to_owned()),
        [proto, port] if proto.starts_with('_') => match (port.strip_prefix('_'), protocol(proto)) {
            (Some(name), Some(protocol)) => Asked::Port { service, name: name.to_owned(), protocol },
            _ => Asked::Nothing,
        },
        [cluster, hostname] => {
            Asked::Endpoint { service, cluster: cluster.to_owned(), hostname: hostname.to_owned() }
        }
        _ => Asked::Nothing,
    }
}

fn service_id(namespace: &str, name: &str) -> Option<ServiceId> {
    Some(ServiceId { namespace: namespace.parse().ok()?, name: name.parse().ok()? })
}

fn protocol(label: &str) -> Option<Protocol> {
    match label {
        "_tcp" => Some(Protocol::Tcp),
        "_udp" => Some(Protocol::Udp),
        "_sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

/// Whether the table has a service in the namespace.
pub fn has_namespace(table: &DnsTable, namespace: &Namespace) -> bool {
    // "0" sorts before every other service name: labels begin with a letter or digit.
    let Ok(first) = "0".parse::<ServiceName>() else { return false };
    let from = ServiceId { namespace: namespace.clone(), name: first };
    table.services.range(from..).next().is_some_and(|(id, _)| id.namespace == *namespace)
}
