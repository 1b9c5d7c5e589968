//! Closing a refused connection so that the refusal arrives.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a refused client may take to close its end.
const PATIENCE: Duration = Duration::from_secs(1);
/// How much of what it still sends is read.
const MOST: usize = 64 * 1024;

/// A fatal alert in clear (RFC 8446 section 6), for clients that never got to a handshake.
const fn alert(description: u8) -> [u8; 7] {
    [21, 3, 1, 0, 2, 2, description]
}

/// `decode_error`: what was sent began as TLS and is not a ClientHello.
pub const DECODE_ERROR: [u8; 7] = alert(50);
/// `protocol_version`: the client knows no version that the gateway speaks.
pub const PROTOCOL_VERSION: [u8; 7] = alert(70);

/// Says `words`, then goodbye.
pub async fn tell(mut stream: TcpStream, words: &[u8]) {
    // A client that cannot take them is refused all the same.
    let _gone = stream.write_all(words).await;
    farewell(stream).await;
}

/// Says nothing more and waits, within bounds, for the other end to stop sending. Closing a socket with unread bytes
/// resets the connection, and a reset overtakes and discards an alert that is still on its way.
pub async fn farewell(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut buf = [0; 1024];
    let mut seen = 0_usize;
    // How it ended makes no difference: the connection is dropped either way.
    let _ended = timeout(PATIENCE, async {
        while seen < MOST {
            match stream.read(&mut buf).await {
                Ok(n) if n > 0 => seen = seen.saturating_add(n),
                _ => break,
            }
        }
    })
    .await;
}
