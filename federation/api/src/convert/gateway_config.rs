//! The whole configuration of a gateway, which comes from its own cluster's agent over a local socket. The size of the
//! message ([`crate::MAX_LOCAL_MESSAGE_BYTES`]) bounds every list in it.

mod egress;
mod ingress;

use std::collections::BTreeMap;

use federation_model::data_plane::{GatewayConfig, IngressRoute, OutboundPort, ServicePortId};
use federation_model::{Bundle, ClusterId, ServiceId, TrustDomain};

use super::{ConvertError, Problem, bundle, field};
use crate::gateway as wire;

impl TryFrom<wire::GatewayConfig> for GatewayConfig {
    type Error = ConvertError;
    fn try_from(from: wire::GatewayConfig) -> Result<Self, ConvertError> {
        Ok(Self {
            cluster: field::parse("cluster", &from.cluster)?,
            trust_domain: field::parse("trust_domain", &from.trust_domain)?,
            bundles: map("bundles", from.bundles, trust_bundle)?,
            cluster_domains: map("cluster_domains", from.cluster_domains, cluster_domain)?,
            ingress: map("ingress", from.ingress, <(ServicePortId, IngressRoute)>::try_from)?,
            egress: map("egress", from.egress, <(ServicePortId, OutboundPort)>::try_from)?,
        })
    }
}

impl From<&GatewayConfig> for wire::GatewayConfig {
    /// Without a version: whoever sends it hashes the rest.
    fn from(from: &GatewayConfig) -> Self {
        Self {
            version: String::new(),
            cluster: from.cluster.to_string(),
            trust_domain: from.trust_domain.to_string(),
            bundles: from.bundles.values().map(Into::into).collect(),
            ingress: from.ingress.iter().map(Into::into).collect(),
            egress: from.egress.iter().map(Into::into).collect(),
            cluster_domains: from
                .cluster_domains
                .iter()
                .map(|(domain, cluster)| wire::ClusterDomain {
                    trust_domain: domain.to_string(),
                    cluster: cluster.to_string(),
                })
                .collect(),
        }
    }
}

impl From<&Bundle> for wire::TrustBundle {
    fn from(from: &Bundle) -> Self {
        Self {
            trust_domain: from.trust_domain.to_string(),
            authorities: from.authorities.iter().map(|a| a.0.clone()).collect(),
            sequence: from.sequence,
            refresh_hint_seconds: from.refresh_hint,
        }
    }
}

fn trust_bundle(from: wire::TrustBundle) -> Result<(TrustDomain, Bundle), ConvertError> {
    let trust_domain: TrustDomain = field::parse("trust_domain", &from.trust_domain)?;
    let bundle = Bundle {
        trust_domain: trust_domain.clone(),
        authorities: bundle::authorities(from.authorities)?,
        sequence: from.sequence,
        refresh_hint: from.refresh_hint_seconds,
    };
    Ok((trust_domain, bundle))
}

fn cluster_domain(from: wire::ClusterDomain) -> Result<(TrustDomain, ClusterId), ConvertError> {
    Ok((field::parse("trust_domain", &from.trust_domain)?, field::parse("cluster", &from.cluster)?))
}

/// The three fields that name a service's port in ingress and egress alike.
fn service_port(namespace: &str, service: &str, port: u32) -> Result<ServicePortId, ConvertError> {
    let service = ServiceId {
        namespace: field::parse("namespace", namespace)?,
        name: field::parse("service", service)?,
    };
    Ok(ServicePortId { service, port: field::port("port", port)? })
}

/// A list that is a map: no key twice, since either of two routes would be a guess.
fn map<W, K: Ord, V>(
    name: &str,
    from: Vec<W>,
    convert: impl Fn(W) -> Result<(K, V), ConvertError>,
) -> Result<BTreeMap<K, V>, ConvertError> {
    let entries: Vec<(K, V)> = field::list(name, from, usize::MAX, convert)?;
    let mut map = BTreeMap::new();
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if map.insert(key, value).is_some() {
            return Err(ConvertError::new(format!("{name}[{at}]"), Problem::Duplicate));
        }
    }
    Ok(map)
}
