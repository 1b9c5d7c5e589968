//! Laws of the ClientHello parser: how bytes are cut never matters, nothing panics, and what a real TLS client
//! writes is read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is how a test says no")]

use std::sync::Arc;

use east_west_gateway_route::client_hello::{MAX_WIRE, Newest};
use east_west_gateway_route::{ClientHello, HelloError, HelloParser, Progress, sni};
use proptest::prelude::*;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

const NAME: &str = "outbound_.8080_._.echo.demo.svc.clusterset.local";

/// The first bytes that rustls sends.
fn real_hello(name: &str, alpn: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Vec<u8> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let mut client = ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn feed_in(parts: &[&[u8]]) -> Result<Progress, HelloError> {
    let mut parser = HelloParser::default();
    let mut last = Ok(Progress::NeedMore);
    for part in parts {
        last = parser.feed(part);
        if last != Ok(Progress::NeedMore) {
            break;
        }
    }
    last
}

fn complete(bytes: &[u8]) -> ClientHello {
    match feed_in(&[bytes]) {
        Ok(Progress::Complete(hello)) => hello,
        other => panic!("not complete: {other:?}"),
    }
}

#[test]
fn a_real_hello_is_read() {
    let both = complete(&real_hello(NAME, &["istio", "h2"], &[&version::TLS13, &version::TLS12]));
    assert_eq!(both.server_name.as_deref(), Some(NAME));
    assert_eq!(both.alpn, [Box::from(*b"istio") as Box<[u8]>, Box::from(*b"h2")]);
    assert_eq!(both.newest, Newest::Tls13);
    assert_eq!(sni::parse(both.server_name.as_deref().unwrap()).unwrap().sni(), NAME);

    let old = complete(&real_hello("127.0.0.1", &[], &[&version::TLS12]));
    assert_eq!(old, ClientHello { server_name: None, alpn: vec![], newest: Newest::Tls12 });
}

#[test]
fn every_split_of_a_real_hello_gives_the_same_answer() {
    let bytes = real_hello(NAME, &["istio"], &[&version::TLS13, &version::TLS12]);
    let whole = feed_in(&[&bytes]);
    for at in 0..bytes.len() {
        let (left, right) = bytes.split_at(at);
        assert_eq!(feed_in(&[left]), Ok(Progress::NeedMore), "at {at}");
        assert_eq!(feed_in(&[left, right]), whole, "at {at}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(feed_in(&single), whole);
}

#[test]
fn every_damaged_byte_is_survived_and_cut_alike() {
    let bytes = real_hello(NAME, &["istio"], &[&version::TLS13]);
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let single: Vec<&[u8]> = damaged.chunks(1).collect();
            assert_eq!(feed_in(&single), feed_in(&[&damaged]), "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic_and_never_depend_on_the_cuts(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        tls in any::<bool>(),
        cuts in proptest::collection::vec(1_usize..50, 1..40),
    ) {
        let mut bytes = bytes;
        if tls {
            let len = bytes.len().to_be_bytes();
            let mut start = vec![22, 3, 1];
            start.extend(&len[len.len() - 2..]);
            bytes.splice(0..0, start);
        }
        let whole = feed_in(&[&bytes]);
        let mut parts = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, after) = rest.split_at((*cut).min(rest.len()));
            parts.push(part);
            rest = after;
        }
        prop_assert_eq!(feed_in(&parts), whole);
    }

    #[test]
    fn no_input_is_read_beyond_the_bound(size in 1_usize..200) {
        // A stranger who sends handshake records for ever, of any size, is told so before the bound.
        let mut parser = HelloParser::default();
        let mut record = vec![22, 3, 1];
        record.extend(u16::try_from(size).unwrap().to_be_bytes());
        record.resize(5 + size, 1);
        let mut sent = 0;
        let outcome = loop {
            match parser.feed(&record) {
                Ok(Progress::NeedMore) => sent += record.len(),
                other => break other,
            }
            prop_assert!(sent <= MAX_WIRE);
        };
        prop_assert!(outcome.is_err());
    }
}
