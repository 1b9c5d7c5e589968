//! Snapshots of what a configuration becomes. They show messages without what is empty, and what is packed unpacked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac;
use envoy_types::pb::envoy::extensions::filters::network::tcp_proxy::v3::TcpProxy;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    self as tls, DownstreamTlsContext, UpstreamTlsContext,
};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use federation_model::bundle::AuthorityDer;
use federation_model::data_plane::{
    AppProtocol, ExpectedPeer, GatewayConfig, IngressRoute, OutboundPort, ServicePortId, Target, TargetGroup,
    Via,
};
use federation_model::{Bundle, ExportScope, TrustDomain};
use federation_trust::{Authority, Lifetime};
use prost::{Message, Name};

use super::{SharedBuilder, cluster, endpoint, inbound, listener, route, secret, snapshot};
use crate::control::{IssueIdentity, LocalAuthority};
use crate::xds::node::{Inbound, NodeInfo, NodeMeta};
use crate::xds::resource::{ResourceType, Snapshot};

/// Debug output without empty fields, and with packed messages of our types unpacked in place.
fn show(message: &impl Debug) -> String {
    let text = format!("{message:#?}");
    let mut lines: Vec<String> = Vec::new();
    let mut source = text.lines();
    let mut packed = String::new();
    while let Some(line) = source.next() {
        let word = line.trim();
        if let Some(url) = word.strip_prefix("type_url: ") {
            packed = url.trim_matches(['"', ',']).to_owned();
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        if word == "value: [" {
            let bytes: Vec<u8> =
                source.by_ref().map_while(|line| line.trim().trim_end_matches(',').parse().ok()).collect();
            lines.extend(unpack(&packed, &bytes).lines().map(|inner| format!("{indent}{inner}")));
            continue;
        }
        let empty = ["None,", "[],", "{},", "\"\",", "false,", "0,", "0.0,"];
        let is_empty = word.split_once(": ").is_some_and(|(_, value)| empty.contains(&value));
        if !(is_empty || ["),", "},", "],", "}", ")", "]"].contains(&word)) {
            lines.push(line.replace("Some(", "").trim_end_matches(['(', '{', '[', ',', ' ']).to_owned());
        }
    }
    lines.join("\n")
}

fn unpack(url: &str, bytes: &[u8]) -> String {
    fn try_as<M: Message + Name + Default + Debug>(url: &str, bytes: &[u8]) -> Option<String> {
        (url == M::type_url()).then(|| show(&M::decode(bytes).unwrap()))
    }
    try_as::<UpstreamTlsContext>(url, bytes)
        .or_else(|| try_as::<DownstreamTlsContext>(url, bytes))
        .or_else(|| try_as::<HttpProtocolOptions>(url, bytes))
        .or_else(|| try_as::<TcpProxy>(url, bytes))
        .or_else(|| try_as::<Rbac>(url, bytes))
        .unwrap_or_else(|| format!("({} bytes)", bytes.len()))
}

fn domain(cluster: &str) -> TrustDomain {
    format!("{cluster}.lab").parse().unwrap()
}

fn target(address: &str, cluster: &str, via: Via) -> Target {
    Target { address: address.parse().unwrap(), weight: 2, cluster: cluster.parse().unwrap(), via }
}

fn mtls(id: &ServicePortId, cluster: &str, expect: ExpectedPeer) -> Via {
    Via::Mtls { sni: id.sni(), trust_domain: domain(cluster), expect }
}

fn gateway_of(cluster: &str) -> ExpectedPeer {
    ExpectedPeer::OneOf(BTreeSet::from([format!("spiffe://{cluster}.lab/isthmus/gateway").parse().unwrap()]))
}

fn id(service: &str, port: u16) -> ServicePortId {
    ServicePortId { service: service.parse().unwrap(), port: port.try_into().unwrap() }
}

/// Local first, then west's gateways, then south's proxies.
fn echo(id: &ServicePortId) -> OutboundPort {
    let group = |targets| TargetGroup { targets };
    let west = || mtls(id, "west", gateway_of("west"));
    let south = mtls(id, "south", ExpectedPeer::AnyOfNamespace("demo".parse().unwrap()));
    OutboundPort {
        vip: vec!["240.240.0.1".parse().unwrap(), "fd69::1".parse().unwrap()],
        listen_port: None,
        app: AppProtocol::Http2,
        groups: vec![
            group(vec![
                target("10.0.0.1:8080", "east", Via::Plain),
                target("10.0.0.2:8080", "east", Via::Plain),
            ]),
            group(Vec::new()),
            group(vec![
                target("192.0.2.1:15443", "west", west()),
                target("192.0.2.1:15443", "west", west()),
                target("192.0.2.3:15443", "south", south),
            ]),
            group(vec![
                target("10.0.0.1:8080", "east", Via::Plain),
                target("192.0.2.2:15443", "west", west()),
            ]),
        ]
        .into(),
    }
}

fn config() -> GatewayConfig {
    let plain = |address, vip: &str, app| OutboundPort {
        vip: vec![vip.parse().unwrap()],
        listen_port: None,
        app,
        groups: vec![TargetGroup { targets: vec![target(address, "east", Via::Plain)] }].into(),
    };
    let demo = id("demo/echo", 80);
    let egress = BTreeMap::from([
        (demo.clone(), echo(&demo)),
        (id("demo/echo", 8080), plain("10.0.0.1:8080", "240.240.0.1", AppProtocol::Http)),
        (id("data/db", 5432), plain("10.0.0.9:5432", "240.240.0.2", AppProtocol::Tcp)),
        // Against the rules: the address of another service. It must not spoil the other's routes.
        (id("demo/zz", 80), plain("10.0.0.1:8080", "240.240.0.1", AppProtocol::Http)),
    ]);
    let cluster_domains = ["east", "south", "west"].map(|name| (domain(name), name.parse().unwrap())).into();
    let scope = ExportScope::Clusters(BTreeSet::from(["west".parse().unwrap()]));
    let ingress = BTreeMap::from([(
        id("demo/shop", 443),
        IngressRoute { scope, end_to_end: true, endpoints: Arc::default() },
    )]);
    GatewayConfig {
        cluster: "east".parse().unwrap(),
        trust_domain: domain("east"),
        bundles: BTreeMap::new(),
        cluster_domains,
        ingress,
        egress,
    }
}

#[test]
fn a_cluster_believes_each_domain_by_itself() {
    let id = id("demo/echo", 80);
    insta::assert_snapshot!(show(&cluster::outbound(&id, &echo(&id))));
}

#[test]
fn an_assignment_has_priorities_without_gaps_and_addresses_once() {
    let id = id("demo/echo", 80);
    insta::assert_snapshot!(show(&endpoint::assignment(&id, &echo(&id))));
}

#[test]
fn routes_have_every_domain_once() {
    let routes = route::outbound_http(&config());
    let shown: Vec<String> = routes
        .virtual_hosts
        .iter()
        .map(|host| format!("{}: {}", host.name, host.domains.join(" ")))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    outbound|80||echo.demo.svc.clusterset.local: echo.demo.svc.clusterset.local:80 240.240.0.1:80 [fd69::1]:80 echo.demo.svc.clusterset.local 240.240.0.1 [fd69::1]
    outbound|8080||echo.demo.svc.clusterset.local: echo.demo.svc.clusterset.local:8080 240.240.0.1:8080
    outbound|80||zz.demo.svc.clusterset.local: zz.demo.svc.clusterset.local:80 zz.demo.svc.clusterset.local
    ");
    insta::assert_snapshot!("one_virtual_host", show(&routes.virtual_hosts[2]));
}

#[test]
fn tcp_listeners_are_bound_on_request() {
    let of_all = |bind| -> Vec<_> {
        config().egress.iter().flat_map(|(id, port)| listener::tcp(id, port, bind)).collect()
    };
    insta::assert_snapshot!(show(&of_all(true)));
    let unbound = of_all(false);
    assert!(!unbound[0].bind_to_port.unwrap().value);
}

fn inbound(service: &str) -> Inbound {
    Inbound {
        service: service.parse().unwrap(),
        namespace: "demo".parse().unwrap(),
        port: 443.try_into().unwrap(),
        listen: "10.0.0.5:15006".parse().unwrap(),
        backend: "127.0.0.1:8080".parse().unwrap(),
    }
}

#[test]
fn an_inbound_listener_asks_for_certificates_and_lets_in_the_scope() {
    insta::assert_snapshot!(show(&inbound::listener(&config(), &inbound("shop"))));
    let refused = show(&inbound::listener(&config(), &inbound("secret")));
    assert!(!refused.contains("policies") && refused.contains("Rbac"), "no policy lets in nobody: {refused}");
}

#[test]
fn a_node_gets_what_it_wants() {
    let names = |meta: NodeMeta| {
        let snapshot = alone(1, &config(), &NodeInfo { id: "a".to_owned(), meta });
        let of = |kind| snapshot.of(kind).iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        ResourceType::ALL.map(|kind| format!("{}: {}", kind.short(), of(kind).join(" "))).join("\n")
    };
    insta::assert_snapshot!(names(NodeMeta::default()), @r"
    cds: outbound|5432||db.data.svc.clusterset.local outbound|8080||echo.demo.svc.clusterset.local outbound|80||echo.demo.svc.clusterset.local outbound|80||zz.demo.svc.clusterset.local
    eds: outbound|5432||db.data.svc.clusterset.local outbound|8080||echo.demo.svc.clusterset.local outbound|80||echo.demo.svc.clusterset.local outbound|80||zz.demo.svc.clusterset.local
    lds: 240.240.0.2_5432
    rds: 
    sds: 
    ");
    let outbound = Some("127.0.0.1:15001".parse().unwrap());
    insta::assert_snapshot!(names(NodeMeta { outbound, inbound: vec![inbound("shop")], ..NodeMeta::default() }), @r"
    cds: outbound|5432||db.data.svc.clusterset.local outbound|8080||echo.demo.svc.clusterset.local outbound|80||echo.demo.svc.clusterset.local outbound|80||zz.demo.svc.clusterset.local inbound|443||127.0.0.1:8080
    eds: outbound|5432||db.data.svc.clusterset.local outbound|8080||echo.demo.svc.clusterset.local outbound|80||echo.demo.svc.clusterset.local outbound|80||zz.demo.svc.clusterset.local
    lds: 240.240.0.2_5432 inbound_10.0.0.5:15006 outbound_http
    rds: outbound_http
    sds: 
    ");
}

#[test]
fn equal_configurations_have_equal_versions() {
    let node = NodeInfo {
        id: "a".to_owned(),
        meta: NodeMeta { inbound: vec![inbound("shop")], ..NodeMeta::default() },
    };
    let once = alone(1, &config(), &node);
    for _ in 0..20 {
        assert_eq!(alone(1, &config(), &node), once);
    }
}

/// A snapshot from a builder that knows of no other configuration.
fn alone(sequence: u64, config: &GatewayConfig, node: &NodeInfo) -> Snapshot {
    let shared = SharedBuilder::default().build(&Arc::new(config.clone()));
    snapshot(sequence, config, &shared, node, None)
}

/// Changes a configuration in one of the ways in which it may change.
fn change(config: &mut GatewayConfig, how: u8, which: usize) {
    let keys: Vec<_> = config.egress.keys().cloned().collect();
    let Some(id) = keys.get(which % keys.len().max(1)) else { return *config = self::config() };
    match how {
        0 => drop(config.egress.remove(id)),
        1 => config.egress.get_mut(id).unwrap().groups = Vec::new().into(),
        2 => config.egress.get_mut(id).unwrap().app = AppProtocol::Tcp,
        3 => config.egress.get_mut(id).unwrap().app = AppProtocol::Http,
        4 => config.egress.get_mut(id).unwrap().vip = vec!["240.240.0.9".parse().unwrap()],
        5 => config.trust_domain = domain("west"),
        6 => *config = self::config(),
        _ => {}
    }
}

proptest::proptest! {
    #[test]
    fn a_builder_with_a_memory_makes_what_one_without_makes(
        steps in proptest::collection::vec((0..8u8, 0..4usize), 1..12),
        bind_vips: bool,
    ) {
        let outbound = Some("127.0.0.1:15001".parse().unwrap());
        let node = NodeInfo { id: "a".to_owned(), meta: NodeMeta { outbound, bind_vips, ..NodeMeta::default() } };
        let mut builder = SharedBuilder::default();
        let mut config = config();
        for (how, which) in steps {
            change(&mut config, how, which);
            let shared = builder.build(&Arc::new(config.clone()));
            proptest::prop_assert_eq!(snapshot(1, &config, &shared, &node, None), alone(1, &config, &node));
        }
    }
}

#[test]
fn secrets_keep_domains_apart_and_leave_out_what_is_no_authority() {
    let authority = |name: &str| {
        let lifetime = Lifetime::starting_at(SystemTime::now(), Duration::from_secs(3_600));
        Arc::new(Authority::create(&domain(name), lifetime).unwrap())
    };
    let (east, west) = (authority("east"), authority("west"));
    let bundle = |name: &str, authorities: Vec<AuthorityDer>| {
        let bundle = Bundle { trust_domain: domain(name), authorities, sequence: 1, refresh_hint: 60 };
        (domain(name), bundle)
    };
    let mut config = config();
    config.bundles = BTreeMap::from([
        bundle("east", vec![east.bundle_authority()]),
        bundle("west", vec![AuthorityDer(vec![1, 2, 3]), west.bundle_authority()]),
        bundle("south", vec![AuthorityDer(b"not a certificate".to_vec())]),
        bundle("north", Vec::new()),
    ]);
    let issuer = LocalAuthority::new(Arc::clone(&east), Duration::from_secs(600));
    let identity = issuer.identity_for(&"spiffe://east.lab/ns/demo/sa/client".parse().unwrap()).unwrap();
    let secrets: Vec<_> =
        secret::certificates(&identity).into_iter().chain(secret::validators(&config)).collect();
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    let id = "spiffe://east.lab/ns/demo/sa/client";
    assert_eq!(names, ["default", id, "spiffe://east.lab", "ROOTCA", "spiffe://west.lab", "ALL"]);
    let validated = |secret: &tls::Secret| {
        let Some(tls::secret::Type::ValidationContext(context)) = &secret.r#type else {
            panic!("{secret:?}")
        };
        assert!(context.trusted_ca.is_none(), "roots are never pooled");
        let config = context.custom_validator_config.as_ref().unwrap().typed_config.as_ref().unwrap();
        let config = tls::SpiffeCertValidatorConfig::decode(config.value.as_slice()).unwrap();
        config.trust_domains.into_iter().map(|domain| domain.name).collect::<Vec<_>>()
    };
    assert_eq!(validated(&secrets[2]), ["east.lab"]);
    assert_eq!(validated(&secrets[3]), ["east.lab"]);
    assert_eq!(validated(&secrets[5]), ["east.lab", "west.lab"]);
    config.bundles.clear();
    assert!(secret::validators(&config).is_empty());
}
