//! Strategies for every model type that travels.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::bundle::AuthorityDer;
use federation_model::command::Registration;
use federation_model::data_plane::{
    AppProtocol, ExpectedPeer, GatewayConfig, IngressRoute, OutboundPort, ServicePortId, Target, TargetGroup,
    Via,
};
use federation_model::export::{InternalTrafficPolicy, Locality, Protocol, SessionAffinity};
use federation_model::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

fn label<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?".prop_map(|text| text.parse().unwrap())
}

fn topology<T: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    "[A-Za-z0-9._-]{1,63}".prop_map(|text| text.parse().unwrap())
}

fn trust_domain() -> impl Strategy<Value = TrustDomain> {
    "[a-z0-9._-]{1,255}".prop_map(|text| text.parse().unwrap())
}

fn instance() -> impl Strategy<Value = InstanceId> {
    "[0-9a-f]{32}".prop_map(|text| text.parse().unwrap())
}

fn spiffe_id() -> impl Strategy<Value = SpiffeId> {
    ("[a-z0-9._-]{1,40}", vec("[A-Za-z0-9_-][A-Za-z0-9._-]{0,9}", 1..5))
        .prop_map(|(domain, path)| format!("spiffe://{domain}/{}", path.join("/")).parse().unwrap())
}

fn service_id() -> impl Strategy<Value = ServiceId> {
    (label(), label()).prop_map(|(namespace, name)| ServiceId { namespace, name })
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from(bits).into()),
    ]
}

fn port() -> impl Strategy<Value = NonZeroU16> {
    (1..=u16::MAX).prop_map(|port| NonZeroU16::new(port).unwrap())
}

fn socket_address() -> impl Strategy<Value = SocketAddr> {
    (ip(), port()).prop_map(|(ip, port)| SocketAddr::new(ip, port.get()))
}

fn gateway() -> impl Strategy<Value = Gateway> {
    (socket_address(), option::of(topology()), 1..=1_000u32).prop_map(|(address, zone, weight)| Gateway {
        address,
        zone,
        weight,
    })
}

fn lease() -> impl Strategy<Value = Lease> {
    prop_oneof![
        (instance(), any::<u64>())
            .prop_map(|(instance, until)| Lease::Held { instance, until: UnixMillis(until) }),
        any::<u64>().prop_map(|at| Lease::Expired { at: UnixMillis(at) }),
    ]
}

pub(crate) fn cluster() -> impl Strategy<Value = Cluster> {
    let place = (label(), option::of(topology()), option::of(topology()));
    (label(), place, trust_domain(), vec(gateway(), 0..4), lease()).prop_map(
        |(id, (network, region, zone), trust_domain, gateways, lease)| Cluster {
            id,
            network,
            region,
            zone,
            trust_domain,
            gateways,
            lease,
        },
    )
}

pub(crate) fn registration() -> impl Strategy<Value = Registration> {
    (cluster(), instance()).prop_map(|(cluster, instance)| Registration {
        cluster: cluster.id,
        instance,
        network: cluster.network,
        region: cluster.region,
        zone: cluster.zone,
        trust_domain: cluster.trust_domain,
        gateways: cluster.gateways,
    })
}

pub(crate) fn bundle() -> impl Strategy<Value = Bundle> {
    let authorities = vec(vec(any::<u8>(), 0..100).prop_map(AuthorityDer), 0..4);
    (trust_domain(), authorities, any::<u64>(), any::<u32>()).prop_map(
        |(trust_domain, authorities, sequence, refresh_hint)| Bundle {
            trust_domain,
            authorities,
            sequence,
            refresh_hint,
        },
    )
}

pub(crate) fn vip() -> impl Strategy<Value = (ServiceId, Vip)> {
    (service_id(), any::<u32>(), any::<u128>())
        .prop_map(|(service, v4, v6)| (service, Vip { v4: v4.into(), v6: v6.into() }))
}

/// Ports with unique names and numbers; a single one may have no name.
fn ports() -> impl Strategy<Value = Vec<ServicePort>> {
    let app = || option::of("[a-z./]{1,20}");
    let protocol = || prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let named = (btree_set(label(), 0..5), btree_set((protocol(), port()), 5), vec(app(), 5)).prop_map(
        |(names, numbers, apps): (BTreeSet<PortName>, _, _)| {
            let all = names.into_iter().zip(numbers).zip(apps);
            all.map(|((name, (protocol, port)), app_protocol)| ServicePort {
                name: Some(name),
                protocol,
                app_protocol,
                port,
            })
            .collect()
        },
    );
    let nameless = (protocol(), app(), port()).prop_map(|(protocol, app_protocol, port)| {
        vec![ServicePort { name: None, protocol, app_protocol, port }]
    });
    prop_oneof![4 => named, 1 => nameless]
}

fn scope() -> impl Strategy<Value = ExportScope> {
    prop_oneof![Just(ExportScope::All), btree_set(label(), 0..4).prop_map(ExportScope::Clusters)]
}

fn mtls() -> impl Strategy<Value = MtlsMode> {
    prop_oneof![
        Just(MtlsMode::Gateway),
        btree_set(spiffe_id(), 0..4).prop_map(|identities| MtlsMode::EndToEnd { identities }),
    ]
}

fn locality() -> impl Strategy<Value = Locality> {
    (option::of(topology()), any::<u32>(), any::<u32>()).prop_map(|(zone, a, b)| Locality {
        zone,
        ready: a.min(b),
        total: a.max(b),
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (ip(), option::of(label()), option::of(topology()), any::<bool>())
        .prop_map(|(address, hostname, zone, ready)| Endpoint { address, hostname, zone, ready })
}

fn metadata() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-z./]{1,30}", "[ -~]{0,63}", 0..4)
}

fn session_affinity() -> impl Strategy<Value = SessionAffinity> {
    prop_oneof![
        Just(SessionAffinity::None),
        any::<u32>().prop_map(|timeout_seconds| SessionAffinity::ClientIp { timeout_seconds }),
    ]
}

type Behaviour = (InternalTrafficPolicy, Option<String>, BTreeSet<IpFamily>);

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let policy = prop_oneof![Just(InternalTrafficPolicy::Cluster), Just(InternalTrafficPolicy::Local)];
    let family = prop_oneof![Just(IpFamily::IPv4), Just(IpFamily::IPv6)];
    (policy, option::of("[a-zA-Z./]{1,30}"), btree_set(family, 0..=2))
}

pub(crate) fn export() -> impl Strategy<Value = Export> {
    let who = (label(), service_id(), any::<u64>(), any::<u64>());
    let kind = prop_oneof![Just(ExportKind::ClusterSetIp), Just(ExportKind::Headless)];
    let offer = (kind, ports(), session_affinity(), behaviour(), metadata(), metadata(), scope(), mtls());
    (who, offer, vec(locality(), 0..4), vec(endpoint(), 0..6)).prop_map(
        |((cluster, service, first_seen, generation), offer, localities, endpoints)| {
            let (kind, ports, session_affinity, behaviour, labels, annotations, scope, mtls) = offer;
            let (internal_traffic_policy, traffic_distribution, ip_families) = behaviour;
            Export {
                cluster,
                service,
                first_seen: UnixMillis(first_seen),
                generation: Generation(generation),
                kind,
                ports,
                session_affinity,
                internal_traffic_policy,
                traffic_distribution,
                ip_families,
                labels,
                annotations,
                scope,
                mtls,
                localities,
                endpoints,
            }
        },
    )
}

pub(crate) fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        cluster().prop_map(Item::Cluster),
        bundle().prop_map(Item::Bundle),
        vip().prop_map(|(service, vip)| Item::Vip(service, vip)),
        export().prop_map(|export| Item::Export(Arc::new(export))),
    ]
}

fn service_port() -> impl Strategy<Value = ServicePortId> {
    (service_id(), port()).prop_map(|(service, port)| ServicePortId { service, port })
}

fn ingress_route() -> impl Strategy<Value = IngressRoute> {
    (scope(), any::<bool>(), btree_set(socket_address(), 0..4).prop_map(Arc::new))
        .prop_map(|(scope, end_to_end, endpoints)| IngressRoute { scope, end_to_end, endpoints })
}

fn via() -> impl Strategy<Value = Via> {
    let expect = prop_oneof![
        btree_set(spiffe_id(), 0..4).prop_map(ExpectedPeer::OneOf),
        label().prop_map(ExpectedPeer::AnyOfNamespace),
    ];
    let mtls = (service_port(), trust_domain(), expect).prop_map(|(port, trust_domain, expect)| Via::Mtls {
        sni: port.sni(),
        trust_domain,
        expect,
    });
    prop_oneof![Just(Via::Plain), mtls]
}

fn target() -> impl Strategy<Value = Target> {
    (socket_address(), 1..=u32::MAX, label(), via()).prop_map(|(address, weight, cluster, via)| Target {
        address,
        weight,
        cluster,
        via,
    })
}

fn outbound_port() -> impl Strategy<Value = OutboundPort> {
    let app = prop_oneof![Just(AppProtocol::Http), Just(AppProtocol::Http2), Just(AppProtocol::Tcp)];
    let group = vec(target(), 1..4).prop_map(|targets| TargetGroup { targets });
    let listen_port = option::of(any::<NonZeroU16>());
    (vec(ip(), 0..=2), listen_port, app, vec(group, 0..4)).prop_map(|(vip, listen_port, app, groups)| {
        OutboundPort { vip, listen_port, app, groups: groups.into() }
    })
}

pub(crate) fn gateway_config() -> impl Strategy<Value = GatewayConfig> {
    let bundles = vec(bundle(), 0..4)
        .prop_map(|bundles| bundles.into_iter().map(|b| (b.trust_domain.clone(), b)).collect());
    let routes =
        (btree_map(service_port(), ingress_route(), 0..4), btree_map(service_port(), outbound_port(), 0..4));
    (label(), trust_domain(), bundles, btree_map(trust_domain(), label(), 0..4), routes).prop_map(
        |(cluster, trust_domain, bundles, cluster_domains, (ingress, egress))| GatewayConfig {
            cluster,
            trust_domain,
            bundles,
            cluster_domains,
            ingress,
            egress,
        },
    )
}
