//! Reading a ClientHello off a connection, keeping every byte.

use east_west_gateway_route::client_hello::{HelloError, MAX_WIRE};
use east_west_gateway_route::{ClientHello, HelloParser, Progress, RefusalReason};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Room for the hello of a usual client in one read.
const FIRST_READ: usize = 2 * 1024;

/// Reads until the hello is whole. Returns it with all bytes read, which may be more than the hello.
///
/// Errors: why there is no hello. At most [`MAX_WIRE`] and one read more are ever held.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<(ClientHello, Vec<u8>), RefusalReason> {
    let mut parser = HelloParser::default();
    let mut bytes = Vec::with_capacity(FIRST_READ);
    loop {
        let before = bytes.len();
        // The parser says `TooLong` before the bytes do; this is the same bound for someone who reads only here.
        if before > MAX_WIRE {
            return Err(RefusalReason::LongHello);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(RefusalReason::NoHello),
            Ok(_) => {}
        }
        match parser.feed(bytes.get(before..).unwrap_or_default()) {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Complete(hello)) => return Ok((hello, bytes)),
            Err(error) => return Err(reason(error)),
        }
    }
}

fn reason(error: HelloError) -> RefusalReason {
    match error {
        HelloError::PlainHttp => RefusalReason::PlainHttp,
        HelloError::NotTls => RefusalReason::NotTls,
        HelloError::Malformed(_) => RefusalReason::MalformedHello,
        HelloError::TooLong => RefusalReason::LongHello,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_leaves_or_does_not_speak_tls_is_named() {
        let cases: [(&[u8], RefusalReason); 5] = [
            (b"", RefusalReason::NoHello),
            (&[22, 3, 1, 2], RefusalReason::NoHello),
            (b"GET / HTTP/1.1\r\n", RefusalReason::PlainHttp),
            (&[0x80, 0x2e, 1, 3, 1], RefusalReason::NotTls),
            (&[22, 3, 1, 0xff, 0xff], RefusalReason::LongHello),
        ];
        for (bytes, expected) in cases {
            let mut stream = bytes;
            assert_eq!(read(&mut stream).await.err(), Some(expected), "{bytes:?}");
        }
    }
}
