//! What strangers and the uninvited see: the same, whatever exists.

use east_west_gateway_route::RefusalReason;

use crate::backends;
use crate::clients::{Caller, Seen, send_raw};
use crate::fake_agent::FakeAgent;
use crate::world::{Pki, Running, authority, issue, port, route};

const EAST: &str = "spiffe://east.lab/isthmus/gateway";

/// West exports `echo` to all and `secret` to south; `proxied`, end to end, is kept to itself.
struct West {
    pki: Pki,
    gateway: Running,
    _agent: FakeAgent,
    _backend: backends::Backend,
    _directory: tempfile::TempDir,
}

impl West {
    async fn start() -> Self {
        Self::with_limits(Default::default()).await
    }

    async fn with_limits(limits: east_west_gateway_gateway::config::Limits) -> Self {
        let pki = Pki::new();
        let backend = backends::http("west").await;
        let mut config = pki.config("west");
        config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
        config.ingress.insert(port("demo/secret", 80), route(&["south"], false, &[backend.address]));
        config.ingress.insert(port("demo/proxied", 80), route(&["west"], true, &[backend.address]));
        let agent = FakeAgent::start(&pki, "v1", &config).await;
        let directory = tempfile::tempdir().unwrap();
        let gateway = Running::start_with(&agent.address, directory.path(), limits).await;
        gateway.ready().await;
        Self { pki, gateway, _agent: agent, _backend: backend, _directory: directory }
    }

    async fn observe(&self, caller: &Caller, name: &str) -> Seen {
        caller.observe(self.gateway.addresses.ingress, name).await
    }

    fn refusals(&self, reason: RefusalReason) -> u64 {
        self.gateway.plane.metrics.refusals(reason)
    }
}

fn sni(service: &str) -> String {
    port(&format!("demo/{service}"), 80).sni()
}

#[tokio::test]
async fn everything_that_must_stay_hidden_looks_the_same() {
    let west = West::start().await;
    let one_version = [vec![&rustls::version::TLS13], vec![&rustls::version::TLS12]];
    for versions in one_version {
        let east = Caller { versions: versions.clone(), ..Caller::new(&west.pki, EAST) };
        let expected = west.observe(&east, &sni("absent")).await;
        assert!(expected.failure().contains("AccessDenied"), "{expected:?}");

        let foreign_alpn = Caller { alpn: vec!["h2", "http/1.1"], ..east.clone() };
        let no_alpn = Caller { alpn: vec![], ..east.clone() };
        let agent = Caller {
            versions: versions.clone(),
            ..Caller::new(&west.pki, "spiffe://east.lab/isthmus/agent")
        };
        let cases: [(&str, &Caller, String); 9] = [
            ("an unknown port", &east, port("demo/echo", 81).sni()),
            ("a name that is not exported to the caller", &east, sni("secret")),
            ("an end-to-end name that nobody may reach", &east, sni("proxied")),
            ("a name of another form", &east, "echo.demo.svc.clusterset.local".to_owned()),
            ("a subset", &east, sni("echo").replace("_._.", "_.v1_.")),
            ("no name", &east, "127.0.0.1".to_owned()),
            ("a foreign protocol", &foreign_alpn, sni("echo")),
            ("no protocol", &no_alpn, sni("echo")),
            ("a caller that is no workload", &agent, sni("echo")),
        ];
        for (what, caller, name) in cases {
            assert_eq!(west.observe(caller, &name).await, expected, "{what}, {versions:?}");
        }
        // And it is not that nothing works.
        let answered = west.observe(&east, &sni("echo")).await;
        let body = answered.read.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(body.is_ok_and(|body| body.ends_with("west got / and 0 bytes")), "{answered:?}");
    }
    for (reason, count) in [
        (RefusalReason::UnknownName, 4),
        (RefusalReason::NotExportedToCaller, 4),
        (RefusalReason::ForeignName, 2),
        (RefusalReason::UnknownSubset, 2),
        (RefusalReason::NoSni, 2),
        (RefusalReason::WrongAlpn, 4),
        (RefusalReason::NotAWorkload, 2),
    ] {
        let line = format!("isthmus_gateway_refused_total{{reason=\"{}\"}} {count}", reason.label());
        west.gateway.counts(&line).await;
    }
}

#[tokio::test]
async fn strangers_hear_the_same_whatever_they_ask_for() {
    let west = West::start().await;
    let foreign = authority("partner");
    let impostor = authority("west.lab");
    let east_ca_signs_west = {
        // East's own authority under west's domain: the real key of one cluster, an id of another.
        let east = west.pki.authority("east.lab");
        let key = east.key_pem();
        let names_west = rcgen_leaf(&east.cert_pem(), &key, "spiffe://west.lab/isthmus/gateway");
        Caller::with(&west.pki, Some(names_west))
    };
    let strangers = [
        (
            "no certificate",
            Caller::with(&west.pki, None),
            "CertificateRequired",
            RefusalReason::NoCertificate,
        ),
        (
            "a foreign authority",
            Caller::with(
                &west.pki,
                Some(issue(&foreign, &"spiffe://partner/isthmus/gateway".parse().unwrap())),
            ),
            "UnknownCA",
            RefusalReason::UnknownIssuer,
        ),
        (
            "another authority that calls itself west",
            Caller::with(
                &west.pki,
                Some(issue(&impostor, &"spiffe://west.lab/ns/demo/sa/a".parse().unwrap())),
            ),
            "UnknownCA",
            RefusalReason::UnknownIssuer,
        ),
        ("east's authority for an id of west", east_ca_signs_west, "UnknownCA", RefusalReason::UnknownIssuer),
    ];
    for (what, caller, alert, reason) in strangers {
        let before = west.refusals(reason);
        let expected = west.observe(&caller, &sni("echo")).await;
        assert!(expected.failure().contains(alert), "{what}: {expected:?}");
        for name in [sni("absent"), sni("secret"), sni("proxied"), "127.0.0.1".to_owned()] {
            assert_eq!(west.observe(&caller, &name).await, expected, "{what}: {name}");
        }
        let line = format!("isthmus_gateway_refused_total{{reason=\"{}\"}} {}", reason.label(), before + 5);
        west.gateway.counts(&line).await;
    }
}

/// A leaf with any id, signed by an authority that our own code would not let sign it.
fn rcgen_leaf(ca_cert: &str, ca_key: &str, id: &str) -> federation_trust::Identity {
    let issuer = rcgen::Issuer::from_ca_cert_pem(ca_cert, rcgen::KeyPair::from_pem(ca_key).unwrap()).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::default();
    leaf.subject_alt_names = vec![rcgen::SanType::URI(id.try_into().unwrap())];
    leaf.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages =
        vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth, rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let signed = leaf.signed_by(&key, &issuer).unwrap();
    let chain = format!("{}{ca_cert}", signed.pem());
    federation_trust::Identity::from_pem(&chain, &key.serialize_pem()).unwrap()
}

/// A ClientHello of TLS 1.2 or older without keys: enough to be read, too little to get far.
fn hello(version: [u8; 2], name: &str) -> Vec<u8> {
    let vec16 = |data: &[u8]| [&u16::try_from(data.len()).unwrap().to_be_bytes(), data].concat();
    let names = vec16(&[&[0][..], &vec16(name.as_bytes())].concat());
    let extensions = [&[0, 0][..], &vec16(&names), &[0, 16], &vec16(&vec16(b"\x05istio"))].concat();
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    body.extend(vec16(&extensions));
    let mut message = vec![1, 0];
    message.extend(vec16(&body));
    [&[22, 3, 1][..], &vec16(&message)].concat()
}

#[tokio::test]
async fn bad_first_bytes_are_refused_and_disturb_nobody() {
    let west = West::start().await;
    let long = "a".repeat(255);
    let cases: Vec<(&str, Vec<u8>, Vec<u8>, RefusalReason)> = vec![
        ("plain HTTP", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(), vec![], RefusalReason::PlainHttp),
        ("SSLv2", vec![0x80, 0x2e, 1, 3, 1, 0, 0], vec![], RefusalReason::NotTls),
        ("noise", vec![0; 64], vec![], RefusalReason::NotTls),
        ("an alert", vec![21, 3, 1, 0, 2, 2, 0], vec![21, 3, 1, 0, 2, 2, 50], RefusalReason::MalformedHello),
        (
            "a long hello",
            vec![22, 3, 1, 0, 4, 1, 255, 255, 255],
            vec![21, 3, 1, 0, 2, 2, 50],
            RefusalReason::LongHello,
        ),
        ("TLS 1.1", hello([3, 2], &sni("echo")), vec![21, 3, 1, 0, 2, 2, 70], RefusalReason::OldVersion),
        (
            "TLS 1.1 for nothing",
            hello([3, 2], &sni("absent")),
            vec![21, 3, 1, 0, 2, 2, 70],
            RefusalReason::OldVersion,
        ),
        (
            "TLS 1.1 end to end",
            hello([3, 2], &sni("proxied")),
            vec![21, 3, 1, 0, 2, 2, 70],
            RefusalReason::OldVersion,
        ),
    ];
    for (what, bytes, answer, reason) in cases {
        let before = west.refusals(reason);
        assert_eq!(send_raw(west.gateway.addresses.ingress, &bytes).await, answer, "{what}");
        let line = format!("isthmus_gateway_refused_total{{reason=\"{}\"}} {}", reason.label(), before + 1);
        west.gateway.counts(&line).await;
    }
    // A name of 255 bytes is not a DNS name; TLS itself turns it down, by an alert.
    let answer = send_raw(west.gateway.addresses.ingress, &hello([3, 3], &long)).await;
    assert_eq!(answer.first(), Some(&21), "{answer:?}");

    let answered = west.observe(&Caller::new(&west.pki, EAST), &sni("echo")).await;
    assert!(answered.handshake.is_ok(), "{answered:?}");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let limits = east_west_gateway_gateway::config::Limits { hello_seconds: 1, ..Default::default() };
    let west = West::with_limits(limits).await;
    assert_eq!(send_raw(west.gateway.addresses.ingress, &[22, 3, 1]).await, b"");
    west.gateway.counts("isthmus_gateway_refused_total{reason=\"slow_hello\"} 1").await;
}

#[tokio::test]
async fn a_gateway_without_a_configuration_refuses_and_is_not_ready() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = federation_kit::grpc::LocalAddr::Unix(directory.path().join("agent.sock"));
    let gateway = Running::start(&nobody, directory.path()).await;
    let pki = Pki::new();
    let seen = Caller::new(&pki, EAST).observe(gateway.addresses.ingress, &sni("echo")).await;
    assert!(seen.handshake.is_err());
    gateway.counts("isthmus_gateway_refused_total{reason=\"not_ready\"} 1").await;
    let page = gateway.page("/readyz").await;
    assert!(page.contains("configuration") && page.contains("certificate"), "{page}");
    assert_eq!(gateway.page("/livez").await, "ok\n");
}
