//! What is true of a name (KEP-1645, DNS specification). Pure: a table and a question in, records out.

use std::collections::BTreeSet;
use std::net::IpAddr;

use agent_plan::desired::{DnsEndpoint, DnsKind, DnsPort, DnsService, DnsTable};
use federation_model::ServiceId;
use hickory_proto::rr::{Name, Record, RecordType};

use super::name::{self, Asked};
use super::record;

/// Most records in the additional section: it is a courtesy, and must not push an answer over the size of a packet.
const MAX_ADDITIONALS: usize = 16;

/// The answer to a question about a name of the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Records of the type asked for.
    Records {
        /// Never empty.
        answers: Vec<Record>,
        /// Addresses of the targets in `answers`.
        additionals: Vec<Record>,
    },
    /// The name exists, without records of the type asked for.
    NoData,
    /// The name does not exist, and nothing below it does (RFC 8020).
    NoName,
    /// There is no table yet, so that nothing is known to be true or false.
    NotLoaded,
}

impl Answer {
    fn records(answers: Vec<Record>, mut additionals: Vec<Record>) -> Self {
        if answers.is_empty() {
            return Self::NoData;
        }
        additionals.truncate(MAX_ADDITIONALS);
        Self::Records { answers, additionals }
    }
}

/// Answers for a name of `clusterset.local`; `None` for a name of another zone. The owner names of the answer are
/// `name` itself, so that its case is kept (some resolvers use it against forgery).
pub fn answer(table: Option<&DnsTable>, name: &Name, kind: RecordType) -> Option<Answer> {
    let asked = name::read(name)?;
    let Some(table) = table else { return Some(Answer::NotLoaded) };
    Some(match asked {
        Asked::Apex if kind == RecordType::SOA => Answer::records(vec![record::soa(record::TTL)], Vec::new()),
        Asked::Apex | Asked::Services => Answer::NoData,
        Asked::Version if kind == RecordType::TXT => Answer::records(vec![record::version(name)], Vec::new()),
        Asked::Version => Answer::NoData,
        Asked::Namespace(namespace) => exists(name::has_namespace(table, &namespace)),
        Asked::Service(id) => with(table, &id, |service| of_service(name, &id, service, kind)),
        Asked::PortsOf(id, protocol) => with(table, &id, |service| {
            exists(service.ports.iter().any(|port| port.name.is_some() && port.protocol == protocol))
        }),
        Asked::Port { service: id, name: port, protocol } => with(table, &id, |service| {
            let named = |found: &&DnsPort| {
                found.protocol == protocol && found.name.as_ref().is_some_and(|name| name.as_str() == port)
            };
            match service.ports.iter().find(named) {
                Some(port) if kind == RecordType::SRV => {
                    of_ports(name, &id, service, &BTreeSet::from([port.port]))
                }
                Some(_) => Answer::NoData,
                None => Answer::NoName,
            }
        }),
        // "Reserved, must not exist": it never has records. Where endpoints have names below it, it is an empty
        // non-terminal, and denying it would deny them (RFC 8020).
        Asked::Cluster(id, cluster) => with(table, &id, |service| {
            exists(endpoints(service).any(|endpoint| endpoint.cluster.as_str() == cluster))
        }),
        Asked::Endpoint { service: id, cluster, hostname } => with(table, &id, |service| {
            let mut found = endpoints(service)
                .filter(|e| e.cluster.as_str() == cluster && e.hostname.eq_ignore_ascii_case(&hostname))
                .peekable();
            if found.peek().is_none() {
                return Answer::NoName;
            }
            addresses(name, found.map(|endpoint| endpoint.address), kind)
        }),
        Asked::Nothing => Answer::NoName,
    })
}

fn with(table: &DnsTable, id: &ServiceId, answer: impl FnOnce(&DnsService) -> Answer) -> Answer {
    table.services.get(id).map_or(Answer::NoName, |service| answer(service))
}

fn exists(yes: bool) -> Answer {
    if yes { Answer::NoData } else { Answer::NoName }
}

fn endpoints(service: &DnsService) -> impl Iterator<Item = &DnsEndpoint> {
    match &service.kind {
        DnsKind::Vip(_) => None,
        DnsKind::Headless(endpoints) => Some(endpoints.iter()),
    }
    .into_iter()
    .flatten()
}

fn service_addresses(service: &DnsService) -> BTreeSet<IpAddr> {
    match &service.kind {
        DnsKind::Vip(vips) => vips.iter().copied().collect(),
        DnsKind::Headless(endpoints) => endpoints.iter().map(|endpoint| endpoint.address).collect(),
    }
}

/// The bare name of a service. SRV on it names every port: not in the specification, but asked by its conformance
/// suite, and answered by CoreDNS.
fn of_service(name: &Name, id: &ServiceId, service: &DnsService, kind: RecordType) -> Answer {
    match kind {
        RecordType::SRV => of_ports(name, id, service, &service.ports.iter().map(|port| port.port).collect()),
        _ => addresses(name, service_addresses(service), kind),
    }
}

/// SRV records of a set of port numbers: two protocols on one number are one record, since an SRV record names no
/// protocol.
fn of_ports(name: &Name, id: &ServiceId, service: &DnsService, ports: &BTreeSet<u16>) -> Answer {
    let host = record::name(&format!("{}.", id.host()));
    let targets: BTreeSet<(Name, Vec<IpAddr>)> = match &service.kind {
        DnsKind::Vip(vips) => BTreeSet::from([(host, vips.clone())]),
        DnsKind::Headless(endpoints) => endpoints
            .iter()
            .map(|e| (record::name(&format!("{}.{}.{host}", e.hostname, e.cluster)), vec![e.address]))
            .filter(|(target, _)| !target.is_root())
            .collect(),
    };
    let names: BTreeSet<&Name> = targets.iter().map(|(target, _)| target).collect();
    let srv =
        |target: &Name| ports.iter().map(|port| record::srv(name, *port, target.clone())).collect::<Vec<_>>();
    let answers = names.into_iter().flat_map(srv).collect();
    let additionals =
        targets.iter().flat_map(|(target, all)| all.iter().map(|a| record::address(target, *a)));
    Answer::records(answers, additionals.collect())
}

fn addresses(name: &Name, all: impl IntoIterator<Item = IpAddr>, kind: RecordType) -> Answer {
    let wanted = |address: &IpAddr| match kind {
        RecordType::A => address.is_ipv4(),
        RecordType::AAAA => address.is_ipv6(),
        RecordType::ANY => true,
        _ => false,
    };
    let unique: BTreeSet<IpAddr> = all.into_iter().filter(wanted).collect();
    Answer::records(unique.into_iter().map(|address| record::address(name, address)).collect(), Vec::new())
}

#[cfg(test)]
mod tests;
