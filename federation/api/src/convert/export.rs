//! An exported service, the largest thing that a peer may publish.

use std::collections::{BTreeMap, BTreeSet};

use federation_model::IpFamily;
use federation_model::endpoint::{Endpoint, MAX_ENDPOINTS};
use federation_model::export::{
    Export, ExportKind, ExportScope, InternalTrafficPolicy, Locality, MAX_ANNOTATION_VALUE, MAX_LABEL_VALUE,
    MAX_LOCALITIES, MAX_METADATA, MAX_NAMES, MAX_PORTS, MAX_QUALIFIED_NAME, MAX_TRAFFIC_DISTRIBUTION,
    MtlsMode, Protocol, ServicePort, SessionAffinity,
};
use federation_model::ids::{Generation, UnixMillis};
use prost::Message;

use super::{ConvertError, Problem, field};
use crate::federation as wire;
use wire::export::{Mtls as WireMtls, Scope as WireScope};

/// Largest encoded export, in bytes: it must fit into one message with room for what is around it, although each of
/// its lists may be as long as its own bound.
pub const MAX_EXPORT_BYTES: usize = 3 * 1024 * 1024;

/// Refuses an export that is larger than [`MAX_EXPORT_BYTES`]. An agent asks this before it sends, since a message over
/// the transport's limit breaks the whole stream.
pub fn check_size(export: &wire::Export) -> Result<(), ConvertError> {
    match export.encoded_len() {
        given if given > MAX_EXPORT_BYTES => {
            Err(ConvertError::new("", Problem::TooLong { given, max: MAX_EXPORT_BYTES }))
        }
        _ => Ok(()),
    }
}

impl TryFrom<wire::Export> for Export {
    type Error = ConvertError;
    fn try_from(from: wire::Export) -> Result<Self, ConvertError> {
        check_size(&from)?;
        let kind = match field::variant("kind", from.kind)? {
            wire::ExportKind::Headless => ExportKind::Headless,
            wire::ExportKind::ClusterSetIp | wire::ExportKind::Unspecified => ExportKind::ClusterSetIp,
        };
        Ok(Self {
            cluster: field::parse("cluster", &from.cluster)?,
            service: field::nested("service", from.service)?,
            first_seen: UnixMillis(from.first_seen_unix_millis),
            generation: Generation(from.generation),
            kind,
            ports: ports(from.ports)?,
            session_affinity: match from.client_ip_affinity_seconds {
                None => SessionAffinity::None,
                Some(timeout_seconds) => SessionAffinity::ClientIp { timeout_seconds },
            },
            internal_traffic_policy: match from.internal_traffic_policy_local {
                false => InternalTrafficPolicy::Cluster,
                true => InternalTrafficPolicy::Local,
            },
            traffic_distribution: traffic_distribution(from.traffic_distribution)?,
            ip_families: ip_families(from.ipv4, from.ipv6),
            labels: metadata("labels", from.labels, MAX_LABEL_VALUE)?,
            annotations: metadata("annotations", from.annotations, MAX_ANNOTATION_VALUE)?,
            // Neither has a default: an export must not be open to all because a field was lost.
            scope: match field::required("scope", from.scope)? {
                WireScope::All(_) => ExportScope::All,
                WireScope::Clusters(list) => {
                    ExportScope::Clusters(field::texts("clusters.clusters", list.clusters, MAX_NAMES)?)
                }
            },
            mtls: match field::required("mtls", from.mtls)? {
                WireMtls::Gateway(_) => MtlsMode::Gateway,
                WireMtls::EndToEnd(end_to_end) => MtlsMode::EndToEnd {
                    identities: field::texts("end_to_end.identities", end_to_end.identities, MAX_NAMES)?,
                },
            },
            localities: field::list("localities", from.localities, MAX_LOCALITIES, locality)?,
            endpoints: field::list("endpoints", from.endpoints, MAX_ENDPOINTS, endpoint)?,
        })
    }
}

fn ports(from: Vec<wire::ServicePort>) -> Result<Vec<ServicePort>, ConvertError> {
    let ports: Vec<ServicePort> = field::list("ports", from, MAX_PORTS, port)?;
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for (at, port) in ports.iter().enumerate() {
        if port.name.is_none() && ports.len() > 1 {
            return Err(ConvertError::new(format!("ports[{at}].name"), Problem::Missing));
        }
        if !names.insert(&port.name) {
            return Err(ConvertError::new(format!("ports[{at}].name"), Problem::Duplicate));
        }
        if !numbers.insert((port.protocol, port.port)) {
            return Err(ConvertError::new(format!("ports[{at}].port"), Problem::Duplicate));
        }
    }
    Ok(ports)
}

fn port(from: wire::ServicePort) -> Result<ServicePort, ConvertError> {
    let protocol = match field::variant("protocol", from.protocol)? {
        wire::Protocol::Udp => Protocol::Udp,
        wire::Protocol::Sctp => Protocol::Sctp,
        wire::Protocol::Tcp | wire::Protocol::Unspecified => Protocol::Tcp,
    };
    let app_protocol = field::bounded("app_protocol", from.app_protocol, MAX_QUALIFIED_NAME)?;
    Ok(ServicePort {
        name: field::optional("name", &from.name)?,
        protocol,
        app_protocol: Some(app_protocol).filter(|text| !text.is_empty()),
        port: field::port("port", from.port)?,
    })
}

/// Absent where it is empty.
fn traffic_distribution(from: String) -> Result<Option<String>, ConvertError> {
    let text = field::bounded("traffic_distribution", from, MAX_TRAFFIC_DISTRIBUTION)?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn ip_families(v4: bool, v6: bool) -> BTreeSet<IpFamily> {
    [(v4, IpFamily::IPv4), (v6, IpFamily::IPv6)]
        .into_iter()
        .filter_map(|(used, f)| used.then_some(f))
        .collect()
}

/// Exported labels or annotations. A wrong entry is named by its place: its key may be anything.
fn metadata(
    name: &str,
    from: BTreeMap<String, String>,
    max_value: usize,
) -> Result<BTreeMap<String, String>, ConvertError> {
    let entries = from.into_iter().collect();
    field::list(name, entries, MAX_METADATA, |(key, value): (String, String)| {
        if key.is_empty() {
            return Err(ConvertError::new("key", Problem::Missing));
        }
        let key = field::bounded("key", key, MAX_QUALIFIED_NAME)?;
        Ok((key, field::bounded("value", value, max_value)?))
    })
}

fn locality(from: wire::Locality) -> Result<Locality, ConvertError> {
    if from.ready > from.total {
        return Err(ConvertError::new(
            "ready",
            Problem::Contradiction("more endpoints are ready than exist"),
        ));
    }
    Ok(Locality { zone: field::optional("zone", &from.zone)?, ready: from.ready, total: from.total })
}

fn endpoint(from: wire::Endpoint) -> Result<Endpoint, ConvertError> {
    Ok(Endpoint {
        address: field::ip("address", &from.address)?,
        hostname: field::optional("hostname", &from.hostname)?,
        zone: field::optional("zone", &from.zone)?,
        ready: from.ready,
    })
}

impl From<&Export> for wire::Export {
    fn from(from: &Export) -> Self {
        let kind = match from.kind {
            ExportKind::ClusterSetIp => wire::ExportKind::ClusterSetIp,
            ExportKind::Headless => wire::ExportKind::Headless,
        };
        Self {
            cluster: from.cluster.to_string(),
            service: Some((&from.service).into()),
            first_seen_unix_millis: from.first_seen.0,
            generation: from.generation.0,
            kind: kind.into(),
            ports: from.ports.iter().map(Into::into).collect(),
            client_ip_affinity_seconds: match from.session_affinity {
                SessionAffinity::None => None,
                SessionAffinity::ClientIp { timeout_seconds } => Some(timeout_seconds),
            },
            internal_traffic_policy_local: from.internal_traffic_policy == InternalTrafficPolicy::Local,
            traffic_distribution: from.traffic_distribution.clone().unwrap_or_default(),
            ipv4: from.ip_families.contains(&IpFamily::IPv4),
            ipv6: from.ip_families.contains(&IpFamily::IPv6),
            labels: from.labels.clone(),
            annotations: from.annotations.clone(),
            scope: Some(match &from.scope {
                ExportScope::All => WireScope::All(wire::AllClusters {}),
                ExportScope::Clusters(named) => WireScope::Clusters(wire::ClusterList {
                    clusters: named.iter().map(ToString::to_string).collect(),
                }),
            }),
            mtls: Some(match &from.mtls {
                MtlsMode::Gateway => WireMtls::Gateway(wire::GatewayMtls {}),
                MtlsMode::EndToEnd { identities } => WireMtls::EndToEnd(wire::EndToEndMtls {
                    identities: identities.iter().map(ToString::to_string).collect(),
                }),
            }),
            localities: from.localities.iter().map(Into::into).collect(),
            endpoints: from.endpoints.iter().map(Into::into).collect(),
        }
    }
}

impl From<&ServicePort> for wire::ServicePort {
    fn from(from: &ServicePort) -> Self {
        let protocol = match from.protocol {
            Protocol::Tcp => wire::Protocol::Tcp,
            Protocol::Udp => wire::Protocol::Udp,
            Protocol::Sctp => wire::Protocol::Sctp,
        };
        Self {
            name: field::text_or_empty(from.name.as_ref()),
            protocol: protocol.into(),
            app_protocol: from.app_protocol.clone().unwrap_or_default(),
            port: from.port.get().into(),
        }
    }
}

impl From<&Locality> for wire::Locality {
    fn from(from: &Locality) -> Self {
        Self { zone: field::text_or_empty(from.zone.as_ref()), ready: from.ready, total: from.total }
    }
}

impl From<&Endpoint> for wire::Endpoint {
    fn from(from: &Endpoint) -> Self {
        Self {
            address: from.address.to_string(),
            hostname: field::text_or_empty(from.hostname.as_ref()),
            zone: field::text_or_empty(from.zone.as_ref()),
            ready: from.ready,
        }
    }
}
