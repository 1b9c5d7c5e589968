use super::*;

/// A hello with these extensions, as one record.
fn hello(legacy_version: u16, extensions: Option<&[(u16, Vec<u8>)]>) -> Vec<u8> {
    let mut body = legacy_version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 2, 0x13, 0x01, 1, 0]);
    if let Some(extensions) = extensions {
        let mut list = Vec::new();
        for (kind, data) in extensions {
            list.extend(kind.to_be_bytes());
            list.extend(vec16(data));
        }
        body.extend(vec16(&list));
    }
    records(&message(&body), usize::MAX)
}

fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![CLIENT_HELLO];
    message.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    message
}

fn records(message: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for part in message.chunks(size.min(MAX_RECORD)) {
        wire.extend([22, 3, 1]);
        wire.extend(vec16(part));
    }
    wire
}

fn vec16(data: &[u8]) -> Vec<u8> {
    [&u16::try_from(data.len()).unwrap().to_be_bytes(), data].concat()
}

fn sni(name: &[u8]) -> (u16, Vec<u8>) {
    (0, vec16(&[&[0], &*vec16(name)].concat()))
}

fn alpn(names: &[&str]) -> (u16, Vec<u8>) {
    let mut list = Vec::new();
    for name in names {
        list.push(u8::try_from(name.len()).unwrap());
        list.extend(name.as_bytes());
    }
    (16, vec16(&list))
}

fn parse(bytes: &[u8]) -> Result<Progress, HelloError> {
    HelloParser::default().feed(bytes)
}

fn complete(bytes: &[u8]) -> ClientHello {
    match parse(bytes) {
        Ok(Progress::Complete(hello)) => hello,
        other => panic!("not complete: {other:?}"),
    }
}

#[test]
fn the_fields_are_read() {
    let found = complete(&hello(
        0x0303,
        Some(&[sni(b"a.b"), (0x1a1a, vec![]), alpn(&["istio", "h2"]), (43, vec![4, 3, 4, 3, 3])]),
    ));
    assert_eq!(found.server_name.as_deref(), Some("a.b"));
    assert_eq!(found.alpn, [Box::from(*b"istio") as Box<[u8]>, Box::from(*b"h2")]);
    assert_eq!(found.newest, Newest::Tls13);
}

#[test]
fn a_hello_may_have_no_extensions_and_no_name() {
    let found = complete(&hello(0x0303, None));
    assert_eq!((found.server_name, found.alpn.len(), found.newest), (None, 0, Newest::Tls12));
    assert_eq!(complete(&hello(0x0303, Some(&[]))).newest, Newest::Tls12);
}

#[test]
fn the_newest_version_is_that_of_the_list_if_there_is_one() {
    let cases = [
        (0x0303, Some(vec![2, 3, 4]), Newest::Tls13),
        (0x0303, Some(vec![4, 0x5a, 0x5a, 3, 3]), Newest::Tls12),
        (0x0303, Some(vec![6, 3, 4, 3, 3, 3, 2]), Newest::Tls13),
        (0x0303, Some(vec![2, 3, 2]), Newest::Unsupported),
        (0x0303, None, Newest::Tls12),
        (0x0302, None, Newest::Unsupported),
        (0x0300, None, Newest::Unsupported),
    ];
    for (legacy, list, newest) in cases {
        let extensions: Vec<_> = list.iter().map(|list| (43, list.clone())).collect();
        assert_eq!(complete(&hello(legacy, Some(&extensions))).newest, newest, "{legacy:x} {list:?}");
    }
}

#[test]
fn long_names_are_read_so_that_they_can_be_refused_as_names() {
    for len in [253, 255, MAX_SERVER_NAME] {
        let found = complete(&hello(0x0303, Some(&[sni(&vec![b'a'; len])])));
        assert_eq!(found.server_name.map(|name| name.len()), Some(len));
    }
    let longer = hello(0x0303, Some(&[sni(&vec![b'a'; MAX_SERVER_NAME + 1])]));
    assert_eq!(parse(&longer), Err(HelloError::Malformed(Flaw::ServerName)));
}

#[test]
fn what_is_wrong_is_named() {
    let two_names = (0, vec16(&[[&[0], &*vec16(b"a")].concat(), [&[0], &*vec16(b"b")].concat()].concat()));
    let other_kind = (0, vec16(&[&[1], &*vec16(b"a")].concat()));
    let malformed = |flaw| HelloError::Malformed(flaw);
    let extension = |extension: (u16, Vec<u8>)| hello(0x0303, Some(&[extension]));
    let cases: Vec<(Vec<u8>, HelloError)> = vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), HelloError::PlainHttp),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), HelloError::PlainHttp),
        // SSLv2-compatible hello: a two-byte length with the high bit, message type 1, version 3.1.
        (vec![0x80, 0x2e, 0x01, 0x03, 0x01], HelloError::NotTls),
        (b"SSH-2.0-x\r\n".to_vec(), HelloError::PlainHttp),
        (b"\x00\x00\x00\x00\x00".to_vec(), HelloError::NotTls),
        (vec![22, 2, 0, 0, 5], HelloError::NotTls),
        (vec![21, 3, 1, 0, 2, 2, 0], malformed(Flaw::OtherRecord)),
        (vec![23, 3, 3, 0, 2, 2, 0], malformed(Flaw::OtherRecord)),
        (vec![22, 3, 1, 0, 0], malformed(Flaw::EmptyRecord)),
        (vec![22, 3, 1, 0, 1, 2], malformed(Flaw::OtherMessage)),
        (vec![22, 3, 1, 0x40, 1], HelloError::TooLong),
        (vec![22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], HelloError::TooLong),
        ([&[22, 3, 1, 0, 1, 1][..], &[21]].concat(), malformed(Flaw::OtherRecord)),
        (extension(sni(b"")), malformed(Flaw::ServerName)),
        (extension(sni("bücher".as_bytes())), malformed(Flaw::ServerName)),
        (extension(sni(b"\xff")), malformed(Flaw::ServerName)),
        (extension(two_names), malformed(Flaw::ServerName)),
        (extension(other_kind), malformed(Flaw::ServerName)),
        (extension((0, vec![0, 9, 0, 0, 1, b'a'])), malformed(Flaw::Length)),
        (extension(alpn(&[])), malformed(Flaw::Alpn)),
        (extension(alpn(&[""])), malformed(Flaw::Alpn)),
        (extension((43, vec![])), malformed(Flaw::Length)),
        (extension((43, vec![3, 3, 4, 3])), malformed(Flaw::Length)),
        (hello(0x0303, Some(&[sni(b"a"), sni(b"a")])), malformed(Flaw::RepeatedExtension)),
        (records(&message(&[3, 3]), 99), malformed(Flaw::Length)),
    ];
    for (bytes, error) in cases {
        assert_eq!(parse(&bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn records_of_any_size_carry_the_same_hello() {
    let whole = hello(0x0303, Some(&[sni(b"a.b"), alpn(&["istio"]), (0x4a4a, vec![9; 16_000])]));
    let expected = complete(&whole);
    let message = &whole[5..];
    for size in [4, 5, 100, MAX_RECORD - 1] {
        assert_eq!(complete(&records(message, size)), expected, "{size}");
    }
    assert_eq!(parse(&records(message, 1)), Err(HelloError::TooLong), "one byte a record is over the bound");
}

#[test]
fn a_hello_over_one_record_is_read_up_to_the_bound() {
    let filler = |len: usize| hello_message(len);
    assert!(matches!(parse(&records(&filler(20_000), MAX_RECORD)), Ok(Progress::Complete(_))));
    assert_eq!(parse(&records(&filler(MAX_HELLO), MAX_RECORD)), Err(HelloError::TooLong));
}

fn hello_message(filler: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    let extension = [&[0x4a, 0x4a][..], &vec16(&vec![0; filler])].concat();
    body.extend(vec16(&extension));
    message(&body)
}

#[test]
fn bytes_after_the_hello_are_not_looked_at() {
    let mut bytes = hello(0x0303, None);
    bytes.extend(b"anything");
    complete(&bytes);
}
