//! A cluster and its lease.

use federation_model::{Cluster, Lease, UnixMillis};

use super::{ConvertError, field, gateway};
use crate::federation as wire;
use wire::cluster::Lease as WireLease;

impl TryFrom<wire::Cluster> for Cluster {
    type Error = ConvertError;
    fn try_from(from: wire::Cluster) -> Result<Self, ConvertError> {
        Ok(Self {
            id: field::parse("id", &from.id)?,
            network: field::parse("network", &from.network)?,
            region: field::optional("region", &from.region)?,
            zone: field::optional("zone", &from.zone)?,
            trust_domain: field::parse("trust_domain", &from.trust_domain)?,
            gateways: gateway::gateways(from.gateways)?,
            lease: match field::required("lease", from.lease)? {
                WireLease::Held(held) => Lease::Held {
                    instance: field::parse("held.instance", &held.instance)?,
                    until: UnixMillis(held.until_unix_millis),
                },
                WireLease::Expired(expired) => Lease::Expired { at: UnixMillis(expired.at_unix_millis) },
            },
        })
    }
}

impl From<&Cluster> for wire::Cluster {
    fn from(from: &Cluster) -> Self {
        Self {
            id: from.id.to_string(),
            network: from.network.to_string(),
            region: field::text_or_empty(from.region.as_ref()),
            zone: field::text_or_empty(from.zone.as_ref()),
            trust_domain: from.trust_domain.to_string(),
            gateways: from.gateways.iter().map(Into::into).collect(),
            lease: Some(match &from.lease {
                Lease::Held { instance, until } => WireLease::Held(wire::LeaseHeld {
                    instance: instance.to_string(),
                    until_unix_millis: until.0,
                }),
                Lease::Expired { at } => WireLease::Expired(wire::LeaseExpired { at_unix_millis: at.0 }),
            }),
        }
    }
}
