//! Addresses of sockets that only processes of the same machine may reach.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `unix:/absolute/path`, or a loopback address and port such as `127.0.0.1:15010`. Nothing else: what is served
/// there asks for no identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LocalAddr {
    /// A Unix socket at this absolute path.
    Unix(PathBuf),
    /// TCP on loopback.
    Tcp(SocketAddr),
}

/// The text is not a local address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A Unix socket needs an absolute path.
    #[error("`{0}` is not an absolute path: write unix:/run/isthmus/agent.sock")]
    NotAbsolute(String),
    /// The address can be reached from other machines.
    #[error("{0} is not a loopback address, and who connects is not authenticated")]
    NotLoopback(SocketAddr),
    /// Neither form.
    #[error("`{0}` is neither unix:/absolute/path nor a loopback address and port")]
    Unknown(String),
}

impl FromStr for LocalAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(AddressError::NotAbsolute(path.display().to_string()))
            };
        }
        let address: SocketAddr = text.parse().map_err(|_| AddressError::Unknown(text.to_owned()))?;
        if address.ip().is_loopback() {
            Ok(Self::Tcp(address))
        } else {
            Err(AddressError::NotLoopback(address))
        }
    }
}

impl TryFrom<String> for LocalAddr {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<LocalAddr> for String {
    fn from(address: LocalAddr) -> Self {
        address.to_string()
    }
}

impl fmt::Display for LocalAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_addresses_parse_and_they_print_as_they_were() {
        for text in ["unix:/run/a.sock", "127.0.0.1:15010", "[::1]:15010"] {
            assert_eq!(text.parse::<LocalAddr>().unwrap().to_string(), text);
        }
        assert!(matches!("unix:a.sock".parse::<LocalAddr>(), Err(AddressError::NotAbsolute(_))));
        assert!(matches!("0.0.0.0:1".parse::<LocalAddr>(), Err(AddressError::NotLoopback(_))));
        assert!(matches!("localhost:1".parse::<LocalAddr>(), Err(AddressError::Unknown(_))));
    }
}
