//! The table of questions: names and types of KEP-1645's DNS specification against one small clusterset.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use agent_plan::desired::{DnsEndpoint, DnsKind, DnsPort, DnsService, DnsTable};
use federation_model::export::Protocol;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use super::{Answer, answer};

fn port(name: Option<&str>, protocol: Protocol, port: u16) -> DnsPort {
    DnsPort { name: name.map(|name| name.parse().unwrap()), protocol, port }
}

fn endpoint(cluster: &str, hostname: &str, address: &str) -> DnsEndpoint {
    DnsEndpoint {
        cluster: cluster.parse().unwrap(),
        hostname: hostname.to_owned(),
        address: address.parse().unwrap(),
    }
}

fn table() -> DnsTable {
    let echo = DnsService {
        kind: DnsKind::Vip(vec!["240.240.0.1".parse().unwrap()]),
        ports: vec![
            port(Some("http"), Protocol::Tcp, 80),
            port(Some("dns"), Protocol::Udp, 53),
            port(None, Protocol::Udp, 80),
        ],
    };
    let dual = DnsService {
        kind: DnsKind::Vip(vec!["240.240.0.2".parse().unwrap(), "fd69:7374:686d::2".parse().unwrap()]),
        ports: vec![port(None, Protocol::Tcp, 5432)],
    };
    let db = DnsService {
        kind: DnsKind::Headless(BTreeSet::from([
            endpoint("west", "db-0", "10.1.0.1"),
            endpoint("west", "db-1", "10.1.0.2"),
            endpoint("east", "db-0", "10.2.0.1"),
            endpoint("east", "db-0", "fd00::1"),
        ])),
        ports: vec![port(Some("pg"), Protocol::Tcp, 5432)],
    };
    let service = |id: &str, service| (id.parse().unwrap(), Arc::new(service));
    DnsTable {
        services: BTreeMap::from([
            service("demo/echo", echo),
            service("demo/dual", dual),
            service("data/db", db),
        ]),
    }
}

fn show(record: &Record) -> String {
    let (owner, kind) = (&record.name, record.record_type());
    match &record.data {
        RData::TXT(text) => format!("{owner} {kind} {}", text.to_string().trim()),
        data => format!("{owner} {kind} {data}"),
    }
}

/// The answer as lines; additional records are marked with a plus.
fn ask(table: Option<&DnsTable>, name: &str, kind: RecordType) -> Vec<String> {
    match answer(table, &Name::from_ascii(name).unwrap(), kind) {
        None => vec!["another zone".to_owned()],
        Some(Answer::NoData) => vec!["nodata".to_owned()],
        Some(Answer::NoName) => vec!["nxdomain".to_owned()],
        Some(Answer::NotLoaded) => vec!["servfail".to_owned()],
        Some(Answer::Records { answers, additionals }) => {
            let additional = additionals.iter().map(|record| format!("+ {}", show(record)));
            answers.iter().map(show).chain(additional).collect()
        }
    }
}

#[test]
fn answers_as_the_specification_says() {
    use RecordType::{A, AAAA, MX, PTR, SOA, SRV, TXT};
    let table = table();
    let cases: &[(&str, RecordType, &[&str])] = &[
        // The zone itself.
        ("dns-version.clusterset.local.", TXT, &["dns-version.clusterset.local. TXT 1.0.0"]),
        ("dns-version.clusterset.local.", A, &["nodata"]),
        (
            "clusterset.local.",
            SOA,
            &[
                "clusterset.local. SOA ns.dns.clusterset.local. hostmaster.clusterset.local. 1 7200 1800 86400 5",
            ],
        ),
        ("clusterset.local.", A, &["nodata"]),
        ("svc.clusterset.local.", A, &["nodata"]),
        ("demo.svc.clusterset.local.", A, &["nodata"]),
        ("nobody.svc.clusterset.local.", A, &["nxdomain"]),
        ("x.clusterset.local.", A, &["nxdomain"]),
        ("echo.demo.pod.clusterset.local.", A, &["nxdomain"]),
        // Other zones, also those that end alike.
        ("echo.demo.svc.cluster.local.", A, &["another zone"]),
        ("notclusterset.local.", A, &["another zone"]),
        ("local.", A, &["another zone"]),
        (".", A, &["another zone"]),
        // A service with a VIP.
        ("echo.demo.svc.clusterset.local.", A, &["echo.demo.svc.clusterset.local. A 240.240.0.1"]),
        ("echo.demo.svc.clusterset.local.", AAAA, &["nodata"]),
        ("echo.demo.svc.clusterset.local.", MX, &["nodata"]),
        ("echo.demo.svc.clusterset.local.", PTR, &["nodata"]),
        (
            "dual.demo.svc.clusterset.local.",
            AAAA,
            &["dual.demo.svc.clusterset.local. AAAA fd69:7374:686d::2"],
        ),
        ("none.demo.svc.clusterset.local.", A, &["nxdomain"]),
        ("none.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        // Case is kept, and ignored.
        ("EcHo.DeMo.SvC.ClusterSet.LOCAL.", A, &["EcHo.DeMo.SvC.ClusterSet.LOCAL. A 240.240.0.1"]),
        // SRV: named ports; the bare name has all, each number once.
        (
            "_http._tcp.echo.demo.svc.clusterset.local.",
            SRV,
            &[
                "_http._tcp.echo.demo.svc.clusterset.local. SRV 0 1 80 echo.demo.svc.clusterset.local.",
                "+ echo.demo.svc.clusterset.local. A 240.240.0.1",
            ],
        ),
        ("_http._tcp.echo.demo.svc.clusterset.local.", A, &["nodata"]),
        ("_http._udp.echo.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        ("_none._tcp.echo.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        ("_tcp.echo.demo.svc.clusterset.local.", SRV, &["nodata"]),
        ("_tcp.dual.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        ("_sctp.echo.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        ("http._tcp.echo.demo.svc.clusterset.local.", SRV, &["nxdomain"]),
        (
            "echo.demo.svc.clusterset.local.",
            SRV,
            &[
                "echo.demo.svc.clusterset.local. SRV 0 1 53 echo.demo.svc.clusterset.local.",
                "echo.demo.svc.clusterset.local. SRV 0 1 80 echo.demo.svc.clusterset.local.",
                "+ echo.demo.svc.clusterset.local. A 240.240.0.1",
            ],
        ),
        // Names below a service with a VIP do not exist.
        ("west.echo.demo.svc.clusterset.local.", A, &["nxdomain"]),
        ("pod.west.echo.demo.svc.clusterset.local.", A, &["nxdomain"]),
        // Headless.
        (
            "db.data.svc.clusterset.local.",
            A,
            &[
                "db.data.svc.clusterset.local. A 10.1.0.1",
                "db.data.svc.clusterset.local. A 10.1.0.2",
                "db.data.svc.clusterset.local. A 10.2.0.1",
            ],
        ),
        ("db.data.svc.clusterset.local.", AAAA, &["db.data.svc.clusterset.local. AAAA fd00::1"]),
        (
            "db-1.west.db.data.svc.clusterset.local.",
            A,
            &["db-1.west.db.data.svc.clusterset.local. A 10.1.0.2"],
        ),
        (
            "db-0.east.db.data.svc.clusterset.local.",
            AAAA,
            &["db-0.east.db.data.svc.clusterset.local. AAAA fd00::1"],
        ),
        ("db-1.west.db.data.svc.clusterset.local.", AAAA, &["nodata"]),
        ("db-1.east.db.data.svc.clusterset.local.", A, &["nxdomain"]),
        ("db-1.north.db.data.svc.clusterset.local.", A, &["nxdomain"]),
        ("a.db-1.west.db.data.svc.clusterset.local.", A, &["nxdomain"]),
        // Reserved: no records, though names exist below it.
        ("west.db.data.svc.clusterset.local.", A, &["nodata"]),
        ("north.db.data.svc.clusterset.local.", A, &["nxdomain"]),
        (
            "_pg._tcp.db.data.svc.clusterset.local.",
            SRV,
            &[
                "_pg._tcp.db.data.svc.clusterset.local. SRV 0 1 5432 db-0.east.db.data.svc.clusterset.local.",
                "_pg._tcp.db.data.svc.clusterset.local. SRV 0 1 5432 db-0.west.db.data.svc.clusterset.local.",
                "_pg._tcp.db.data.svc.clusterset.local. SRV 0 1 5432 db-1.west.db.data.svc.clusterset.local.",
                "+ db-0.east.db.data.svc.clusterset.local. A 10.2.0.1",
                "+ db-0.east.db.data.svc.clusterset.local. AAAA fd00::1",
                "+ db-0.west.db.data.svc.clusterset.local. A 10.1.0.1",
                "+ db-1.west.db.data.svc.clusterset.local. A 10.1.0.2",
            ],
        ),
    ];
    for (name, kind, expected) in cases {
        assert_eq!(ask(Some(&table), name, *kind), *expected, "{name} {kind}");
    }
}

#[test]
fn nothing_is_known_before_the_table() {
    for name in ["echo.demo.svc.clusterset.local.", "clusterset.local.", "nobody.svc.clusterset.local."] {
        assert_eq!(ask(None, name, RecordType::A), ["servfail"], "{name}");
    }
    assert_eq!(ask(None, "example.org.", RecordType::A), ["another zone"]);
}

#[test]
fn an_empty_table_denies_and_does_not_fail() {
    let empty = DnsTable::default();
    assert_eq!(ask(Some(&empty), "echo.demo.svc.clusterset.local.", RecordType::A), ["nxdomain"]);
}
