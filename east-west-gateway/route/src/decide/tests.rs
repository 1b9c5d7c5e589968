use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

const ECHO: &str = "outbound_.8080_._.echo.demo.svc.clusterset.local";
const SECRET: &str = "outbound_.8080_._.secret.demo.svc.clusterset.local";
const PROXIED: &str = "outbound_.443_._.proxied.demo.svc.clusterset.local";
const HIDDEN: &str = "outbound_.443_._.hidden.demo.svc.clusterset.local";

fn route(scope: &[&str], end_to_end: bool) -> IngressRoute {
    let scope = match scope {
        ["*"] => ExportScope::All,
        named => ExportScope::Clusters(named.iter().map(|name| name.parse().unwrap()).collect()),
    };
    IngressRoute { scope, end_to_end, endpoints: Arc::new(BTreeSet::from(["10.0.0.1:80".parse().unwrap()])) }
}

/// West exports `echo` to all, `secret` to south, and end to end `proxied` to east and `hidden` to itself alone.
fn config() -> GatewayConfig {
    let ingress = [
        (ECHO, route(&["*"], false)),
        (SECRET, route(&["south"], false)),
        (PROXIED, route(&["east"], true)),
        (HIDDEN, route(&["west"], true)),
    ];
    let domain = |name: &str| (format!("{name}.lab").parse().unwrap(), name.parse().unwrap());
    GatewayConfig {
        cluster: "west".parse().unwrap(),
        trust_domain: "west.lab".parse().unwrap(),
        bundles: BTreeMap::new(),
        cluster_domains: ["east", "west", "south"].map(domain).into(),
        ingress: ingress.map(|(name, route)| (sni::parse(name).unwrap(), route)).into(),
        egress: BTreeMap::new(),
    }
}

fn hello(server_name: Option<&str>, alpn: &[&str]) -> ClientHello {
    ClientHello {
        server_name: server_name.map(Box::from),
        alpn: alpn.iter().map(|name| Box::from(name.as_bytes())).collect(),
        newest: Newest::Tls13,
    }
}

#[test]
fn a_hello_is_relayed_terminated_or_refused_for_one_reason() {
    let config = config();
    let subset = ECHO.replace("_._.", "_.v2_.");
    let refused: [(Option<&str>, &[&str], RefusalReason); 11] = [
        (None, &["istio"], RefusalReason::NoSni),
        (None, &[], RefusalReason::NoSni),
        (Some(ECHO), &[], RefusalReason::WrongAlpn),
        (Some(ECHO), &["h2", "http/1.1"], RefusalReason::WrongAlpn),
        (Some(PROXIED), &["h2"], RefusalReason::WrongAlpn),
        (Some("example.com"), &["istio"], RefusalReason::ForeignName),
        (Some(&subset), &["istio"], RefusalReason::UnknownSubset),
        (Some(&ECHO.replace("8080", "8081")), &["istio"], RefusalReason::UnknownName),
        (Some(&ECHO.replace("echo", "absent")), &["istio"], RefusalReason::UnknownName),
        (Some(HIDDEN), &["istio"], RefusalReason::NotExportedToCaller),
        (Some("outbound_.x"), &["istio"], RefusalReason::ForeignName),
    ];
    for (name, alpn, reason) in refused {
        assert_eq!(decide(&config, &hello(name, alpn)), Decision::Refuse(reason), "{name:?} {alpn:?}");
        assert!(reason.hidden(), "{reason:?}");
    }
    for alpn in MESH_ALPN {
        let target = sni::parse(ECHO).unwrap();
        assert_eq!(decide(&config, &hello(Some(ECHO), &["h2", alpn])), Decision::Terminate { target });
    }
    // Whom it is exported to is asked only once the caller is known.
    let target = sni::parse(SECRET).unwrap();
    assert_eq!(decide(&config, &hello(Some(SECRET), &["istio"])), Decision::Terminate { target });
    let Decision::Relay { target, endpoints } = decide(&config, &hello(Some(PROXIED), &["istio"])) else {
        panic!("an end-to-end service is relayed");
    };
    assert_eq!((target.sni().as_str(), endpoints.len()), (PROXIED, 1));
}

#[test]
fn an_old_version_is_refused_before_its_name_is_looked_at() {
    for name in [ECHO, PROXIED, "example.com"] {
        let old = ClientHello { newest: Newest::Unsupported, ..hello(Some(name), &["istio"]) };
        assert_eq!(decide(&config(), &old), Decision::Refuse(RefusalReason::OldVersion));
    }
}

#[test]
fn a_caller_is_judged_by_its_cluster_and_kind() {
    let config = config();
    let cases: [(&str, &str, Result<&str, RefusalReason>); 11] = [
        (ECHO, "spiffe://east.lab/isthmus/gateway", Ok("east")),
        (ECHO, "spiffe://east.lab/ns/demo/sa/client", Ok("east")),
        (ECHO, "spiffe://west.lab/ns/demo/sa/client", Ok("west")),
        (ECHO, "spiffe://east.lab/isthmus/agent", Err(RefusalReason::NotAWorkload)),
        (ECHO, "spiffe://east.lab/isthmus/gateway/x", Err(RefusalReason::NotAWorkload)),
        (ECHO, "spiffe://lab/isthmus/agent/east", Err(RefusalReason::UnknownCallerDomain)),
        (ECHO, "spiffe://partner/ns/demo/sa/client", Err(RefusalReason::UnknownCallerDomain)),
        (SECRET, "spiffe://south.lab/isthmus/gateway", Ok("south")),
        (SECRET, "spiffe://west.lab/isthmus/gateway", Ok("west")),
        (SECRET, "spiffe://east.lab/isthmus/gateway", Err(RefusalReason::NotExportedToCaller)),
        (
            "outbound_.1_._.absent.demo.svc.clusterset.local",
            "spiffe://east.lab/isthmus/gateway",
            Err(RefusalReason::UnknownName),
        ),
    ];
    for (name, caller, expected) in cases {
        let found = authorize(&config, &sni::parse(name).unwrap(), &caller.parse().unwrap());
        assert_eq!(found.map(|route| route.cluster.as_str()), expected, "{caller} calls {name}");
        assert!(found_reason_is_hidden(&expected));
    }
}

fn found_reason_is_hidden(expected: &Result<&str, RefusalReason>) -> bool {
    expected.map_or_else(RefusalReason::hidden, |_| true)
}

#[test]
fn a_relayed_connection_ends_with_its_export() {
    let mut config = config();
    let target = sni::parse(PROXIED).unwrap();
    assert_eq!(still_relayed(&config, &target), Ok(()));
    config.ingress.insert(target.clone(), route(&["west"], true));
    assert_eq!(still_relayed(&config, &target), Err(RefusalReason::NotExportedToCaller));
    config.ingress.insert(target.clone(), route(&["east"], false));
    assert_eq!(still_relayed(&config, &target), Err(RefusalReason::NotExportedToCaller));
    config.ingress.remove(&target);
    assert_eq!(still_relayed(&config, &target), Err(RefusalReason::UnknownName));
}
