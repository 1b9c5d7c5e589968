//! The DNS server over real sockets: UDP, TCP, sizes, forwarding to a real second server, and packets that are none.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agent_agent::dns::metrics::{Malformed, Zone};
use agent_agent::dns::{DnsError, DnsOptions, DnsServer, SharedTable};
use agent_plan::desired::{DnsEndpoint, DnsKind, DnsPort, DnsService, DnsTable};
use federation_model::export::Protocol;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// Long enough for any machine; nothing waits for it to pass.
const DEADLINE: Duration = Duration::from_secs(20);
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const ENDPOINTS: u8 = 200;

fn table() -> DnsTable {
    let echo = DnsService {
        kind: DnsKind::Vip(vec!["240.240.0.1".parse().unwrap()]),
        ports: vec![DnsPort { name: Some("http".parse().unwrap()), protocol: Protocol::Tcp, port: 80 }],
    };
    let endpoint = |n: u8| DnsEndpoint {
        cluster: "west".parse().unwrap(),
        hostname: format!("db-{n}"),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)),
    };
    let many: BTreeSet<DnsEndpoint> = (0..ENDPOINTS).map(endpoint).collect();
    let db = DnsService {
        kind: DnsKind::Headless(many),
        ports: vec![DnsPort { name: Some("pg".parse().unwrap()), protocol: Protocol::Tcp, port: 5432 }],
    };
    DnsTable {
        services: BTreeMap::from([
            ("demo/echo".parse().unwrap(), Arc::new(echo)),
            ("data/db".parse().unwrap(), Arc::new(db)),
        ]),
    }
}

/// A serving server. It ends with the test's runtime.
struct Running {
    address: SocketAddr,
    metrics: agent_agent::dns::metrics::DnsMetrics,
    table: SharedTable,
    _task: JoinHandle<Result<(), DnsError>>,
}

async fn serve(options: DnsOptions) -> Running {
    let table = SharedTable::not_loaded();
    let server = DnsServer::bind(&options, table.clone(), &mut Registry::default()).await.unwrap();
    let (address, metrics) = (server.local_addr(), server.metrics());
    let task = tokio::spawn(server.run(std::future::pending()));
    Running { address, metrics, table, _task: task }
}

async fn serve_table() -> Running {
    let running = serve(DnsOptions::new(ANY, Vec::new())).await;
    running.table.set(table());
    running
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(4711, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

async fn udp_raw(server: SocketAddr, packet: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.connect(server).await.unwrap();
    socket.send(packet).await.unwrap();
    let mut buffer = vec![0; 65_535];
    let size = tokio::time::timeout(DEADLINE, socket.recv(&mut buffer)).await.expect("an answer").unwrap();
    buffer.truncate(size);
    buffer
}

async fn udp(server: SocketAddr, message: &Message) -> Message {
    Message::from_vec(&udp_raw(server, &message.to_vec().unwrap()).await).unwrap()
}

async fn tcp(stream: &mut TcpStream, message: &Message) -> Message {
    let bytes = message.to_vec().unwrap();
    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut answer).await.unwrap();
    Message::from_vec(&answer).unwrap()
}

fn addresses(message: &Message) -> Vec<String> {
    message.answers.iter().map(|record| record.data.to_string()).collect()
}

#[tokio::test]
async fn answers_by_udp_and_by_tcp() {
    let server = serve_table().await;
    let asked = question("EcHo.demo.svc.clusterset.local.", RecordType::A);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for answer in [udp(server.address, &asked).await, tcp(&mut stream, &asked).await] {
        assert_eq!(answer.metadata.id, 4711);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        assert!(answer.metadata.authoritative && answer.metadata.recursion_desired);
        assert_eq!(addresses(&answer), ["240.240.0.1"]);
        assert_eq!(answer.answers[0].ttl, 5);
        assert!(answer.answers[0].name.eq_case(asked.queries[0].name()), "the case of the question is kept");
        assert!(answer.edns.is_none());
    }
    // One connection carries many questions.
    let other = tcp(&mut stream, &question("nobody.demo.svc.clusterset.local.", RecordType::A)).await;
    assert_eq!(other.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(server.metrics.answered_count(Zone::clusterset, ResponseCode::NoError), 2);
    assert_eq!(server.metrics.answered_count(Zone::clusterset, ResponseCode::NXDomain), 1);
}

#[tokio::test]
async fn negative_answers_carry_the_soa() {
    let server = serve_table().await;
    // A name that does not exist may come to be at any moment: nobody keeps that it does not.
    for (name, kind, code, kept) in [
        ("echo.demo.svc.clusterset.local.", RecordType::AAAA, ResponseCode::NoError, 5),
        ("none.demo.svc.clusterset.local.", RecordType::A, ResponseCode::NXDomain, 0),
    ] {
        let answer = udp(server.address, &question(name, kind)).await;
        assert_eq!(answer.metadata.response_code, code, "{name}");
        assert!(answer.answers.is_empty());
        let RData::SOA(soa) = &answer.authorities[0].data else { panic!("{:?}", answer.authorities) };
        assert_eq!((soa.minimum, answer.authorities[0].ttl), (kept, kept), "{name}");
    }
}

#[tokio::test]
async fn fails_until_the_table_is_loaded() {
    let server = serve(DnsOptions::new(ANY, Vec::new())).await;
    let asked = question("echo.demo.svc.clusterset.local.", RecordType::A);
    let before = udp(server.address, &asked).await;
    assert_eq!(before.metadata.response_code, ResponseCode::ServFail);
    assert!(before.authorities.is_empty(), "nothing that a cache could keep");
    server.table.set(table());
    assert_eq!(addresses(&udp(server.address, &asked).await), ["240.240.0.1"]);
}

#[tokio::test]
async fn large_answers_are_cut_by_udp_and_whole_by_tcp() {
    let server = serve_table().await;
    let mut asked = question("db.data.svc.clusterset.local.", RecordType::A);

    let packet = udp_raw(server.address, &asked.to_vec().unwrap()).await;
    assert!(packet.len() <= 512, "{} bytes to a client without EDNS", packet.len());
    let answer = Message::from_vec(&packet).unwrap();
    assert!(answer.metadata.truncation && answer.answers.is_empty() && answer.edns.is_none());

    let mut edns = Edns::new();
    edns.set_max_payload(4_096);
    asked.set_edns(edns);
    let packet = udp_raw(server.address, &asked.to_vec().unwrap()).await;
    assert!(packet.len() <= 1_232, "{} bytes to a client with EDNS", packet.len());
    let answer = Message::from_vec(&packet).unwrap();
    assert!(answer.metadata.truncation);
    assert_eq!(answer.edns.expect("OPT is answered with OPT").max_payload(), 1_232);

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let answer = tcp(&mut stream, &asked).await;
    assert!(!answer.metadata.truncation);
    assert_eq!(addresses(&answer).into_iter().collect::<BTreeSet<_>>().len(), usize::from(ENDPOINTS));
    let srv = tcp(&mut stream, &question("_pg._tcp.db.data.svc.clusterset.local.", RecordType::SRV)).await;
    assert_eq!(srv.answers.len(), usize::from(ENDPOINTS));
}

#[tokio::test]
async fn what_cannot_be_answered_says_so() {
    let server = serve_table().await;
    let mut version = question("echo.demo.svc.clusterset.local.", RecordType::A);
    let mut edns = Edns::new();
    edns.set_version(1);
    version.set_edns(edns);
    let mut opcode = question("echo.demo.svc.clusterset.local.", RecordType::A);
    opcode.metadata.op_code = OpCode::Notify;
    let mut two = question("echo.demo.svc.clusterset.local.", RecordType::A);
    two.add_query(two.queries[0].clone());
    let cases = [
        (question("example.org.", RecordType::A), ResponseCode::Refused),
        (question("clusterset.local.", RecordType::AXFR), ResponseCode::Refused),
        (version, ResponseCode::BADVERS),
        (opcode, ResponseCode::NotImp),
        (two, ResponseCode::FormErr),
    ];
    for (asked, code) in cases {
        // By number: BADVERS and BADSIG are both 16 (RFC 6895, section 2.3).
        let answer = udp(server.address, &asked).await.metadata.response_code;
        assert_eq!(u16::from(answer), u16::from(code), "{asked}");
    }
}

#[tokio::test]
async fn other_names_are_asked_upstream() {
    let upstream = upstream().await;
    let server = serve(DnsOptions::new(ANY, vec![upstream.address])).await;
    let found = udp(server.address, &question("WWW.example.org.", RecordType::A)).await;
    assert_eq!(addresses(&found), ["192.0.2.7"]);
    assert!(found.metadata.recursion_available && !found.metadata.authoritative);
    assert!(found.answers[0].name.eq_case(&Name::from_ascii("WWW.example.org.").unwrap()));
    let alias = udp(server.address, &question("alias.example.org.", RecordType::A)).await;
    assert_eq!(addresses(&alias), ["www.example.org.", "192.0.2.7"]);
    let none = udp(server.address, &question("none.example.org.", RecordType::A)).await;
    assert_eq!(none.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(none.authorities[0].record_type(), RecordType::SOA, "so that clients can keep the answer");
    let nodata = udp(server.address, &question("www.example.org.", RecordType::MX)).await;
    assert_eq!((nodata.metadata.response_code, nodata.answers.len()), (ResponseCode::NoError, 0));
    // Never for our own zone, even before there is a table.
    let own = udp(server.address, &question("echo.demo.svc.clusterset.local.", RecordType::A)).await;
    assert_eq!(own.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(server.metrics.answered_count(Zone::forwarded, ResponseCode::NoError), 3);
    assert_eq!(server.metrics.answered_count(Zone::forwarded, ResponseCode::NXDomain), 1);
}

#[tokio::test]
async fn a_silent_upstream_is_a_failure_and_the_next_is_asked() {
    let silent = UdpSocket::bind(ANY).await.unwrap();
    let mut options = DnsOptions::new(ANY, vec![silent.local_addr().unwrap()]);
    options.upstream_timeout = Duration::from_millis(400);
    let server = serve(options.clone()).await;
    let answer = udp(server.address, &question("www.example.org.", RecordType::A)).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);

    let upstream = upstream().await;
    options.upstream.push(upstream.address);
    options.upstream_timeout = Duration::from_secs(4);
    let server = serve(options).await;
    let answer = udp(server.address, &question("www.example.org.", RecordType::A)).await;
    assert_eq!(addresses(&answer), ["192.0.2.7"]);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let server = serve_table().await;
    let options = DnsOptions::new(server.address, Vec::new());
    let error =
        DnsServer::bind(&options, SharedTable::not_loaded(), &mut Registry::default()).await.unwrap_err();
    assert!(matches!(error, DnsError::Bind { address, .. } if address == server.address), "{error}");
}

#[tokio::test]
async fn packets_that_ask_nothing_are_counted_and_do_no_harm() {
    let server = serve_table().await;
    let good = question("echo.demo.svc.clusterset.local.", RecordType::A).to_vec().unwrap();
    let mut response = good.clone();
    response[2] |= 0x80;
    let mut counts = good.clone();
    counts[4..12].fill(0xff);
    let sender = UdpSocket::bind(ANY).await.unwrap();
    for packet in [&good[..5], &response, &[], &counts, &good[..20], &[0x42; 4_096]] {
        sender.send_to(packet, server.address).await.unwrap();
    }
    // Packets of one socket are read in order, so that this answer means that those before it were judged.
    let mut buffer = [0; 512];
    sender.send_to(&good, server.address).await.unwrap();
    loop {
        let size =
            tokio::time::timeout(DEADLINE, sender.recv(&mut buffer)).await.expect("an answer").unwrap();
        if Message::from_vec(&buffer[..size]).is_ok_and(|answer| !answer.answers.is_empty()) {
            break;
        }
    }
    let count = |reason| server.metrics.malformed_count(reason);
    assert_eq!(count(Malformed::short), 2);
    assert_eq!(count(Malformed::response), 1);
    assert_eq!((count(Malformed::counts), count(Malformed::undecodable)), (1, 1));
    // A connection that says nothing, half a length, or an absurd length, holds up nobody.
    for bytes in [&[][..], &[0x12], &[0xff, 0xff, 1, 2, 3]] {
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        idle.write_all(bytes).await.unwrap();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let answer = tcp(&mut stream, &question("echo.demo.svc.clusterset.local.", RecordType::A)).await;
        assert_eq!(addresses(&answer), ["240.240.0.1"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, the answer is silence or a packet that is a response.
    #[test]
    fn any_bytes_are_judged(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        header in any::<bool>(),
        tcp in any::<bool>(),
    ) {
        use agent_agent::dns::wire::{Judged, Responder, Transport};
        let shared = SharedTable::not_loaded();
        shared.set(table());
        let responder = Responder { table: shared, metrics: Default::default(), forwards: true };
        let mut packet = bytes;
        if header && packet.len() >= 12 {
            // Get past the first gates: a query with one question.
            packet[2..12].copy_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        }
        let transport = if tcp { Transport::Tcp } else { Transport::Udp };
        if let Judged::Reply(reply) = responder.judge(&packet, transport) {
            let reply = Message::from_vec(&reply).expect("a reply that decodes");
            prop_assert_eq!(reply.metadata.message_type, MessageType::Response);
        }
    }
}

/// A real second server, which knows `example.org`.
struct Upstream {
    address: SocketAddr,
    _server: hickory_server::Server<hickory_server::zone_handler::Catalog>,
}

async fn upstream() -> Upstream {
    use hickory_proto::rr::rdata::{A, CNAME, SOA};
    use hickory_proto::rr::{LowerName, Record};
    use hickory_server::store::in_memory::InMemoryZoneHandler;
    use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};

    let name = |text: &str| Name::from_ascii(text).unwrap();
    let origin = name("example.org.");
    let mut zone: InMemoryZoneHandler =
        InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
    let soa = SOA::new(name("ns.example.org."), name("root.example.org."), 1, 60, 60, 60, 60);
    let www = RData::A(A(Ipv4Addr::new(192, 0, 2, 7)));
    let alias = RData::CNAME(CNAME(name("www.example.org.")));
    for (owner, data) in
        [("example.org.", RData::SOA(soa)), ("www.example.org.", www), ("alias.example.org.", alias)]
    {
        zone.upsert_mut(Record::from_rdata(name(owner), 60, data), 1);
    }
    let mut catalog = Catalog::new();
    catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone)]);
    let mut server = hickory_server::Server::new(catalog);
    let socket = UdpSocket::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    server.register_socket(socket);
    Upstream { address, _server: server }
}
