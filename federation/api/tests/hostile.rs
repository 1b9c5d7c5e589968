//! Whatever is on the wire, a conversion answers with a value inside its bounds or with the path of the wrong field.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the helpers of tests fail by panicking, too"
)]

mod support;

use federation_api::convert::registration::registration;
use federation_api::convert::{ConvertError, export::MAX_EXPORT_BYTES};
use federation_api::{federation as wire, gateway};
use federation_model::command::Registration;
use federation_model::data_plane::GatewayConfig;
use federation_model::endpoint::MAX_ENDPOINTS;
use federation_model::export::{MAX_ANNOTATION_VALUE, MAX_LABEL_VALUE, MAX_QUALIFIED_NAME};
use federation_model::*;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;

/// One way to damage an encoding.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Truncate(Index),
    Repeat(Index, Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let damage = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        any::<Index>().prop_map(Damage::Truncate),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    proptest::collection::vec(damage, 1..4)
}

fn damaged(message: &impl Message, damages: &[Damage]) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    for damage in damages {
        if bytes.is_empty() {
            break;
        }
        let len = bytes.len();
        match damage {
            Damage::Set(at, byte) => bytes[at.index(len)] = *byte,
            Damage::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Damage::Remove(at) => drop(bytes.remove(at.index(len))),
            Damage::Truncate(at) => bytes.truncate(at.index(len)),
            Damage::Repeat(from, to) => {
                let (from, to) = (from.index(len).min(to.index(len)), from.index(len).max(to.index(len)));
                let again = bytes[from..to].to_vec();
                bytes.extend(again);
            }
        }
    }
    bytes
}

/// Decodes and converts; a value that comes out must survive the way back, so it is one that the wire can mean.
fn judge_item(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(message) = wire::Item::decode(bytes) else { return Ok(()) };
    if let Ok(item) = Item::try_from(message) {
        prop_assert_eq!(Item::try_from(wire::Item::from(&item)), Ok(item));
    }
    Ok(())
}

fn judge_config(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(message) = gateway::GatewayConfig::decode(bytes) else { return Ok(()) };
    if let Ok(config) = GatewayConfig::try_from(message) {
        prop_assert_eq!(GatewayConfig::try_from(gateway::GatewayConfig::from(&config)), Ok(config));
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        judge_item(&bytes)?;
        judge_config(&bytes)?;
        if let Ok(key) = wire::ItemKey::decode(bytes.as_slice()) {
            let _ = ItemKey::try_from(key);
        }
        if let Ok(hello) = wire::Registration::decode(bytes.as_slice()) {
            let _ = registration("east".parse().unwrap(), hello);
        }
    }

    #[test]
    fn damaged_items_never_panic(item in support::item(), damages in damages()) {
        judge_item(&damaged(&wire::Item::from(&item), &damages))?;
        let key = damaged(&wire::ItemKey::from(&item.key()), &damages);
        if let Ok(key) = wire::ItemKey::decode(key.as_slice()) {
            let _ = ItemKey::try_from(key);
        }
    }

    #[test]
    fn damaged_configurations_never_panic(config in support::gateway_config(), damages in damages()) {
        judge_config(&damaged(&gateway::GatewayConfig::from(&config), &damages))?;
    }

    #[test]
    fn damaged_registrations_never_panic(given in support::registration(), damages in damages()) {
        let bytes = damaged(&wire::Registration::from(&given), &damages);
        if let Ok(hello) = wire::Registration::decode(bytes.as_slice()) {
            let _ = registration(given.cluster, hello);
        }
    }
}

fn port(name: &str, protocol: wire::Protocol, port: u32) -> wire::ServicePort {
    wire::ServicePort { name: name.to_owned(), protocol: protocol.into(), app_protocol: String::new(), port }
}

fn good_export() -> wire::Export {
    wire::Export {
        cluster: "east".to_owned(),
        service: Some(wire::ServiceId { namespace: "demo".to_owned(), name: "echo".to_owned() }),
        kind: wire::ExportKind::ClusterSetIp.into(),
        ports: vec![port("http", wire::Protocol::Tcp, 80), port("dns", wire::Protocol::Udp, 53)],
        scope: Some(wire::export::Scope::All(wire::AllClusters {})),
        mtls: Some(wire::export::Mtls::Gateway(wire::GatewayMtls {})),
        ..wire::Export::default()
    }
}

fn refusal<W, T>(good: W, change: impl FnOnce(&mut W)) -> String
where
    T: TryFrom<W, Error = ConvertError>,
{
    let mut message = good;
    change(&mut message);
    T::try_from(message).err().map(|e| e.to_string()).unwrap_or_default()
}

#[test]
fn an_export_outside_its_bounds_is_refused_by_field() {
    type Change = fn(&mut wire::Export);
    let cases: [(Change, &str); 27] = [
        (|_| {}, ""),
        (|e| e.cluster = "East".to_owned(), "cluster: cluster id has the character 'E' at byte 0"),
        (|e| e.service = None, "service: missing"),
        (|e| e.service.as_mut().unwrap().name.clear(), "service.name: service name is empty"),
        (|e| e.kind = 0, "kind: missing"),
        (|e| e.kind = 9, "kind: value 9 is not known to this version"),
        (|e| e.ports[0].port = 0, "ports[0].port: 0 is not between 1 and 65535"),
        (|e| e.ports[0].port = 65_536, "ports[0].port: 65536 is not between 1 and 65535"),
        (|e| e.ports[0].protocol = 0, "ports[0].protocol: missing"),
        (|e| e.ports[1].protocol = 4, "ports[1].protocol: value 4 is not known"),
        (|e| e.ports[1].name = "http".to_owned(), "ports[1].name: the same as an earlier one"),
        (|e| e.ports[1].name.clear(), "ports[1].name: missing"),
        (|e| e.ports[1] = port("web", wire::Protocol::Tcp, 80), "ports[1].port: the same as an earlier one"),
        (
            |e| e.ports[0].app_protocol = "x".repeat(MAX_QUALIFIED_NAME + 1),
            "ports[0].app_protocol: has 318 bytes",
        ),
        (|e| e.ports = vec![e.ports[0].clone(); 129], "ports: has 129 elements, more than 128"),
        (|e| drop(e.labels.insert(String::new(), String::new())), "labels[0].key: missing"),
        (
            |e| drop(e.labels.insert("k".repeat(MAX_QUALIFIED_NAME + 1), String::new())),
            "labels[0].key: has 318",
        ),
        (
            |e| drop(e.labels.insert("k".to_owned(), "v".repeat(MAX_LABEL_VALUE + 1))),
            "labels[0].value: has 64",
        ),
        (
            |e| drop(e.annotations.insert("k".to_owned(), "v".repeat(MAX_ANNOTATION_VALUE + 1))),
            "annotations[0].value: has 4097 bytes, more than 4096",
        ),
        (
            |e| e.labels = (0..257).map(|n| (n.to_string(), String::new())).collect(),
            "labels: has 257 elements",
        ),
        (|e| e.scope = None, "scope: missing"),
        (
            |e| {
                let clusters = vec!["-".to_owned()];
                e.scope = Some(wire::export::Scope::Clusters(wire::ClusterList { clusters }));
            },
            "clusters.clusters[0]: cluster id must start and end",
        ),
        (|e| e.mtls = None, "mtls: missing"),
        (
            |e| {
                let identities = vec!["https://east.lab/a".to_owned()];
                e.mtls = Some(wire::export::Mtls::EndToEnd(wire::EndToEndMtls { identities }));
            },
            "end_to_end.identities[0]: SPIFFE id does not start with spiffe://",
        ),
        (
            |e| e.localities.push(wire::Locality { zone: String::new(), ready: 2, total: 1 }),
            "localities[0].ready: more endpoints are ready than exist",
        ),
        (|e| e.endpoints.push(wire::Endpoint::default()), "endpoints[0].address: not an IP address"),
        (
            |e| e.endpoints = vec![wire::Endpoint::default(); MAX_ENDPOINTS + 1],
            "endpoints: has 10001 elements, more than 10000",
        ),
    ];
    for (change, want) in cases {
        let found = refusal::<_, Export>(good_export(), change);
        assert!(found.starts_with(want) && found.is_empty() == want.is_empty(), "{found:?}, not {want:?}");
    }
}

#[test]
fn a_single_port_needs_no_name_and_tcp_and_udp_may_share_a_number() {
    let nameless = refusal::<_, Export>(good_export(), |e| {
        e.ports.truncate(1);
        e.ports[0].name.clear();
    });
    assert_eq!(nameless, "");
    let shared = refusal::<_, Export>(good_export(), |e| e.ports[1].port = 80);
    assert_eq!(shared, "");
}

#[test]
fn an_export_too_large_for_a_message_is_refused_though_each_list_is_in_bounds() {
    let long = |n: usize| format!("spiffe://{}/{n:04}{}", "d".repeat(255), "p".repeat(1_700));
    let zone = "z".repeat(63);
    let found = refusal::<_, Export>(good_export(), |e| {
        let identities = (0..1_024).map(long).collect();
        e.mtls = Some(wire::export::Mtls::EndToEnd(wire::EndToEndMtls { identities }));
        let endpoint = wire::Endpoint {
            address: "::1".to_owned(),
            hostname: zone.clone(),
            zone: zone.clone(),
            ready: true,
        };
        e.endpoints = vec![endpoint; MAX_ENDPOINTS];
    });
    assert!(found.ends_with(&format!("more than {MAX_EXPORT_BYTES}")), "{found}");
}

#[test]
fn gateways_of_a_registration_are_bounded() {
    let gateway =
        |weight| wire::Gateway { address: "127.0.0.1:15443".to_owned(), zone: String::new(), weight };
    let hello = |gateways: Vec<wire::Gateway>| wire::Registration {
        instance: "0".repeat(32),
        network: "east".to_owned(),
        trust_domain: "east.lab".to_owned(),
        gateways,
        ..wire::Registration::default()
    };
    let judge = |hello: wire::Registration| -> Result<Registration, String> {
        registration("east".parse().unwrap(), hello).map_err(|e| e.to_string())
    };
    assert!(judge(hello(vec![gateway(1), gateway(1_000)])).is_ok());
    let refused = |hello| judge(hello).unwrap_err();
    assert_eq!(refused(hello(vec![gateway(0)])), "gateways[0].weight: 0 is not between 1 and 1000");
    assert_eq!(
        refused(hello(vec![gateway(1), gateway(1_001)])),
        "gateways[1].weight: 1001 is not between 1 and 1000"
    );
    assert_eq!(refused(hello(vec![gateway(1); 65])), "gateways: has 65 elements, more than 64");
    for address in ["", "127.0.0.1", "127.0.0.1:0", "localhost:1"] {
        let gateway = wire::Gateway { address: address.to_owned(), ..gateway(1) };
        assert_eq!(refused(hello(vec![gateway])), "gateways[0].address: not an ip:port", "{address}");
    }
    let talkative = wire::Registration { version: "v".repeat(65), ..hello(Vec::new()) };
    assert_eq!(refused(talkative), "version: has 65 bytes, more than 64");
}

#[test]
fn bundles_are_bounded() {
    let good = || wire::Bundle { trust_domain: "east.lab".to_owned(), ..wire::Bundle::default() };
    let found = refusal::<_, Bundle>(good(), |b| b.authorities = vec![vec![0; 8_192], vec![0; 8_193]]);
    assert_eq!(found, "authorities[1]: has 8193 bytes, more than 8192");
    let found = refusal::<_, Bundle>(good(), |b| b.authorities = vec![Vec::new(); 17]);
    assert_eq!(found, "authorities: has 17 elements, more than 16");
}

#[test]
fn a_gateway_is_given_no_route_that_means_two_things_or_nothing() {
    type Change = fn(&mut gateway::GatewayConfig);
    fn expect(config: &mut gateway::GatewayConfig) -> &mut Option<gateway::mtls::Expect> {
        match &mut config.egress[0].groups[0].targets[0].via {
            Some(gateway::target::Via::Mtls(mtls)) => &mut mtls.expect,
            other => panic!("the good configuration has an mTLS target, not {other:?}"),
        }
    }
    let cases: [(Change, &str); 11] = [
        (|_| {}, ""),
        (|c| c.ingress.push(c.ingress[0].clone()), "ingress[1]: the same as an earlier one"),
        (|c| c.egress.push(c.egress[0].clone()), "egress[1]: the same as an earlier one"),
        (
            |c| c.bundles = vec![gateway::TrustBundle::default()],
            "bundles[0].trust_domain: trust domain is empty",
        ),
        (
            |c| {
                let domain = |cluster: &str| gateway::ClusterDomain {
                    trust_domain: "east.lab".to_owned(),
                    cluster: cluster.to_owned(),
                };
                c.cluster_domains = vec![domain("east"), domain("west")];
            },
            "cluster_domains[1]: the same as an earlier one",
        ),
        (
            |c| c.ingress[0].clusters.push("west".to_owned()),
            "ingress[0].clusters: clusters are named although all may call",
        ),
        (|c| c.ingress[0].endpoints.push("x".to_owned()), "ingress[0].endpoints[0]: not an ip:port"),
        (|c| c.egress[0].groups[0].targets.clear(), "egress[0].groups[0].targets: missing"),
        (
            |c| c.egress[0].groups[0].targets[0].weight = 0,
            "egress[0].groups[0].targets[0].weight: 0 is not between 1 and 4294967295",
        ),
        (|c| *expect(c) = None, "egress[0].groups[0].targets[0].mtls.expect: missing"),
        (|c| c.egress[0].vip = vec!["127.0.0.1".to_owned(); 3], "egress[0].vip: has 3 elements, more than 2"),
    ];
    for (change, want) in cases {
        assert_eq!(refusal::<_, GatewayConfig>(good_config(), change), want);
    }
}

fn good_config() -> gateway::GatewayConfig {
    let target = gateway::Target {
        address: "127.0.0.1:15443".to_owned(),
        weight: 1,
        cluster: "west".to_owned(),
        via: Some(gateway::target::Via::Mtls(gateway::Mtls {
            sni: "outbound_.80_._.echo.demo.svc.clusterset.local".to_owned(),
            trust_domain: "west.lab".to_owned(),
            expect: Some(gateway::mtls::Expect::AnyOfNamespace("demo".to_owned())),
        })),
    };
    let (namespace, service) = ("demo".to_owned(), "echo".to_owned());
    gateway::GatewayConfig {
        cluster: "east".to_owned(),
        trust_domain: "east.lab".to_owned(),
        ingress: vec![gateway::IngressRoute {
            namespace: namespace.clone(),
            service: service.clone(),
            port: 80,
            all_clusters: true,
            ..gateway::IngressRoute::default()
        }],
        egress: vec![gateway::EgressListener {
            namespace,
            service,
            port: 80,
            app: gateway::AppProtocol::Http.into(),
            groups: vec![gateway::TargetGroup { targets: vec![target] }],
            ..gateway::EgressListener::default()
        }],
        ..gateway::GatewayConfig::default()
    }
}
