//! Listening sockets, with errors that say which address and what to do about it.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::exit::Exit;

/// A listening socket could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}{hint}")]
pub struct BindError {
    address: String,
    hint: &'static str,
    #[source]
    source: io::Error,
}

impl BindError {
    /// For a listener of another kind (a UDP socket, say) made by the caller.
    pub fn new(address: impl ToString, source: io::Error) -> Self {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => " (another process holds it)",
            io::ErrorKind::AddrNotAvailable => " (this machine has no such address)",
            io::ErrorKind::PermissionDenied => " (this user may not)",
            _ => "",
        };
        Self { address: address.to_string(), hint, source }
    }

    /// 69 where another process or machine set-up is the cause, 74 for the rest.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.source.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied => {
                Exit::Unavailable
            }
            _ => Exit::Io,
        }
    }

    /// What the operating system said.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

/// Binds a TCP listener (`SO_REUSEADDR`, so that a restart does not wait for old connections).
///
/// # Errors
/// When the address is taken, absent or forbidden.
pub async fn tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError::new(address, source))
}

/// The bound address of `listener`: the port chosen by the system where `wanted` had port 0.
pub(crate) fn bound(listener: &TcpListener, wanted: SocketAddr) -> Result<SocketAddr, BindError> {
    listener.local_addr().map_err(|source| BindError::new(wanted, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_exit_69_and_says_so() {
        let held = tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = tcp(held.local_addr().unwrap()).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Unavailable);
        assert!(error.to_string().ends_with("(another process holds it)"), "{error}");
    }
}
