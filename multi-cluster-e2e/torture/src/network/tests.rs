use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Bounds how long a broken test hangs.
const LONG: Duration = Duration::from_secs(20);

/// A server that gives back what it gets, behind a proxy; and a client of it.
async fn echo(network: &Network) -> (SocketAddr, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    let proxy = network.proxy(End::Server(1), target, None).await.unwrap();
    (proxy, TcpStream::connect(proxy).await.unwrap())
}

async fn says(stream: &mut TcpStream) -> Option<u8> {
    let mut byte = [0];
    let read = tokio::time::timeout(LONG, stream.read(&mut byte)).await.unwrap();
    (read.unwrap_or(0) == 1).then_some(byte[0])
}

#[tokio::test]
async fn what_is_held_in_either_direction_arrives_once_it_is_healed() {
    let network = Network::default();
    let (_, mut client) = echo(&network).await;
    for (from, to) in [(End::Clients, End::Server(1)), (End::Server(1), End::Clients)] {
        network.set(from, to, Traffic::Held);
        client.write_all(b"a").await.unwrap();
        let mut byte = [0];
        // Everything else is ready long before: this can only be late, never wrong.
        let early = tokio::time::timeout(Duration::from_millis(50), client.read(&mut byte)).await;
        assert!(early.is_err(), "{early:?}");
        network.heal();
        assert_eq!(says(&mut client).await, Some(b'a'));
    }
}

#[tokio::test]
async fn a_refused_direction_ends_what_there_is_and_lets_nothing_new_in() {
    let network = Network::default();
    let (proxy, mut client) = echo(&network).await;
    client.write_all(b"a").await.unwrap();
    assert_eq!(says(&mut client).await, Some(b'a'));
    network.set(End::Server(1), End::Clients, Traffic::Refused);
    assert_eq!(says(&mut client).await, None);
    let mut again = TcpStream::connect(proxy).await.unwrap();
    assert_eq!(says(&mut again).await, None);
    network.heal();
    let mut healed = TcpStream::connect(proxy).await.unwrap();
    healed.write_all(b"b").await.unwrap();
    assert_eq!(says(&mut healed).await, Some(b'b'));
}

#[tokio::test]
async fn slow_traffic_arrives() {
    let network = Network::default();
    let (_, mut client) = echo(&network).await;
    network.set(End::Clients, End::Server(1), Traffic::Slow(Duration::from_millis(5)));
    client.write_all(b"a").await.unwrap();
    assert_eq!(says(&mut client).await, Some(b'a'));
}
