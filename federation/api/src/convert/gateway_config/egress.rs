//! What local clients may call elsewhere.

use federation_model::data_plane::{
    AppProtocol, ExpectedPeer, OutboundPort, ServicePortId, Target, TargetGroup, Via,
};
use federation_model::export::MAX_NAMES;

use super::{ConvertError, Problem, field, service_port};
use crate::gateway as wire;
use wire::mtls::Expect as WireExpect;
use wire::target::Via as WireVia;

/// Most addresses of one VIP: one of each family.
const MAX_VIP_ADDRESSES: usize = 2;
/// Longest server name, in bytes (RFC 1035 section 2.3.4, without the root's dot).
const MAX_SNI: usize = 253;

impl TryFrom<wire::EgressListener> for (ServicePortId, OutboundPort) {
    type Error = ConvertError;
    fn try_from(from: wire::EgressListener) -> Result<Self, ConvertError> {
        let id = service_port(&from.namespace, &from.service, from.port)?;
        let app = match field::variant("app", from.app)? {
            wire::AppProtocol::Http => AppProtocol::Http,
            wire::AppProtocol::Http2 => AppProtocol::Http2,
            wire::AppProtocol::Tcp | wire::AppProtocol::Unspecified => AppProtocol::Tcp,
        };
        let vip = field::list("vip", from.vip, MAX_VIP_ADDRESSES, |text| field::ip("", &text))?;
        let groups: Vec<_> = field::list("groups", from.groups, usize::MAX, group)?;
        let listen_port = match from.listen_port {
            0 => None,
            given => Some(field::port("listen_port", given)?),
        };
        Ok((id, OutboundPort { vip, listen_port, app, groups: groups.into() }))
    }
}

fn group(from: wire::TargetGroup) -> Result<TargetGroup, ConvertError> {
    if from.targets.is_empty() {
        return Err(ConvertError::new("targets", Problem::Missing));
    }
    Ok(TargetGroup { targets: field::list("targets", from.targets, usize::MAX, target)? })
}

fn target(from: wire::Target) -> Result<Target, ConvertError> {
    Ok(Target {
        address: field::socket_address("address", &from.address)?,
        weight: field::range("weight", from.weight, 1, u32::MAX)?,
        cluster: field::parse("cluster", &from.cluster)?,
        via: match field::required("via", from.via)? {
            WireVia::Plain(_) => Via::Plain,
            WireVia::Mtls(mtls) => via_mtls(mtls).map_err(|e| e.under("mtls"))?,
        },
    })
}

fn via_mtls(from: wire::Mtls) -> Result<Via, ConvertError> {
    if from.sni.is_empty() {
        return Err(ConvertError::new("sni", Problem::Missing));
    }
    Ok(Via::Mtls {
        sni: field::bounded("sni", from.sni, MAX_SNI)?,
        trust_domain: field::parse("trust_domain", &from.trust_domain)?,
        // No default: a target that anybody may answer for is not a target.
        expect: match field::required("expect", from.expect)? {
            WireExpect::OneOf(peers) => {
                ExpectedPeer::OneOf(field::texts("one_of.identities", peers.identities, MAX_NAMES)?)
            }
            WireExpect::AnyOfNamespace(namespace) => {
                ExpectedPeer::AnyOfNamespace(field::parse("any_of_namespace", &namespace)?)
            }
        },
    })
}

impl From<(&ServicePortId, &OutboundPort)> for wire::EgressListener {
    fn from((id, outbound): (&ServicePortId, &OutboundPort)) -> Self {
        let app = match outbound.app {
            AppProtocol::Http => wire::AppProtocol::Http,
            AppProtocol::Http2 => wire::AppProtocol::Http2,
            AppProtocol::Tcp => wire::AppProtocol::Tcp,
        };
        Self {
            namespace: id.service.namespace.to_string(),
            service: id.service.name.to_string(),
            port: id.port.get().into(),
            vip: outbound.vip.iter().map(ToString::to_string).collect(),
            groups: outbound
                .groups
                .iter()
                .map(|group| wire::TargetGroup { targets: group.targets.iter().map(Into::into).collect() })
                .collect(),
            app: app.into(),
            listen_port: outbound.listen_port.map_or(0, |port| port.get().into()),
        }
    }
}

impl From<&Target> for wire::Target {
    fn from(from: &Target) -> Self {
        Self {
            address: from.address.to_string(),
            weight: from.weight,
            cluster: from.cluster.to_string(),
            via: Some(match &from.via {
                Via::Plain => WireVia::Plain(wire::Plain {}),
                Via::Mtls { sni, trust_domain, expect } => WireVia::Mtls(wire::Mtls {
                    sni: sni.clone(),
                    trust_domain: trust_domain.to_string(),
                    expect: Some(match expect {
                        ExpectedPeer::OneOf(ids) => WireExpect::OneOf(wire::PeerIdentities {
                            identities: ids.iter().map(ToString::to_string).collect(),
                        }),
                        ExpectedPeer::AnyOfNamespace(namespace) => {
                            WireExpect::AnyOfNamespace(namespace.to_string())
                        }
                    }),
                }),
            }),
        }
    }
}
