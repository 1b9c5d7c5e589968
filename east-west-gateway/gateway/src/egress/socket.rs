//! Where egress listeners are bound when a port of the gateway's own is given for an import.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use federation_kit::bind::BindError;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1_024;

/// The addresses to listen on where none are configured: all of both families by one socket a port, or all of IPv4 where
/// the kernel has no IPv6.
pub fn own_addresses() -> Vec<IpAddr> {
    let probe = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    match socket(probe, false) {
        Ok(_closed) => vec![probe.ip()],
        Err(_no_ipv6) => vec![Ipv4Addr::UNSPECIFIED.into()],
    }
}

/// Binds. `alone`: no other address of the same port is listened on, so that `::` may stand for IPv4 as well.
pub(super) fn bind(address: SocketAddr, alone: bool) -> Result<TcpListener, BindError> {
    let bound = socket(address, !alone).and_then(|socket| {
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    });
    bound.map_err(|error| BindError::new(address, error))
}

fn socket(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // So that a restart does not wait for old connections.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_socket_serves_both_families_and_two_stand_beside_each_other() {
        let [all] = own_addresses()[..] else { panic!("one address") };
        let listener = bind(SocketAddr::new(all, 0), true).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let taken = bind(SocketAddr::new(all, port), true).unwrap_err();
        assert!(taken.to_string().contains("another process"), "{taken}");
        drop(listener);
        if all.is_ipv6() {
            let first = bind((Ipv6Addr::UNSPECIFIED, 0).into(), false).unwrap();
            let port = first.local_addr().unwrap().port();
            bind((Ipv4Addr::UNSPECIFIED, port).into(), false).unwrap();
        }
    }
}
