use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;

use super::*;
use crate::track::{Purpose, Tracker};

const LIMITS: RelayLimits = RelayLimits { idle: Duration::from_secs(60), lifetime: None };

fn bytes() -> Bytes {
    Bytes { from_client: Counter::default(), to_client: Counter::default() }
}

fn live(tracker: &Tracker) -> Live {
    let target = federation_model::data_plane::ServicePortId {
        service: "demo/echo".parse().unwrap(),
        port: std::num::NonZeroU16::MIN,
    };
    tracker.enter(Purpose::Relayed { target }).unwrap()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (dialled, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn plain_bytes_pass_both_ways_with_half_closes() {
    let ((mut client, near), (mut server, far)) = (pair().await, pair().await);
    let bytes = bytes();
    let counted = bytes.clone();
    let relayed = tokio::spawn(async move {
        between_plain(near, far, &counted, LIMITS, &mut live(&Tracker::default())).await
    });
    // More than any socket buffer: the relay must keep what the other side does not take at once.
    let sent: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let writing = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert!(got == expected, "bytes were lost or changed");
    server.write_all(b"after the end").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(writing.await.unwrap(), "after the end");
    assert!(matches!(relayed.await.unwrap(), Ended::Finished));
    assert_eq!(bytes.from_client.get(), expected.len() as u64);
    assert_eq!(bytes.to_client.get(), 13);
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let ((client, near), (mut server, far)) = (pair().await, pair().await);
    let relayed = tokio::spawn(async move {
        between_plain(near, far, &bytes(), LIMITS, &mut live(&Tracker::default())).await
    });
    reset(&client);
    drop(client);
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(matches!(relayed.await.unwrap(), Ended::Failed(_)));
}

async fn duplex(limits: RelayLimits) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<Ended>) {
    let (client, near) = tokio::io::duplex(64);
    let (server, far) = tokio::io::duplex(64);
    let relayed = tokio::spawn(async move {
        let tracker = Tracker::default();
        between_tls_and_plain(near, far, &bytes(), limits, &mut live(&tracker), |_, _| ()).await
    });
    (client, server, relayed)
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_and_a_busy_one_does_not() {
    let (mut client, mut server, relayed) = duplex(LIMITS).await;
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(59)).await;
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
    }
    assert!(!relayed.is_finished());
    // Time is paused: it moves on by itself once nothing else can happen.
    assert!(matches!(relayed.await.unwrap(), Ended::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_also_a_busy_connection() {
    let limits = RelayLimits { lifetime: Some(Duration::from_secs(100)), ..LIMITS };
    let (mut client, mut server, relayed) = duplex(limits).await;
    for _ in 0..2 {
        tokio::time::advance(Duration::from_secs(45)).await;
        client.write_all(b"x").await.unwrap();
        server.read_exact(&mut [0]).await.unwrap();
    }
    assert!(matches!(relayed.await.unwrap(), Ended::Lifetime));
}

#[tokio::test]
async fn a_told_connection_closes() {
    let tracker = Tracker::default();
    let (_client, near) = tokio::io::duplex(64);
    let (_server, far) = tokio::io::duplex(64);
    let mut live = live(&tracker);
    tracker.close_all(CloseReason::Draining);
    let ended = between_tls_and_plain(near, far, &bytes(), LIMITS, &mut live, |_, _| ()).await;
    assert!(matches!(ended, Ended::Closed(CloseReason::Draining)));
    assert_eq!(ended.label(), "draining");
}
