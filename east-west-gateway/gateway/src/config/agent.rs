//! Where the agent is.

use std::fmt;
use std::str::FromStr;

use federation_kit::grpc::{AddressError, LocalAddr};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

/// `unix:/path` or a loopback address, where the socket's mode says who may; or `https://host:port`, where the agent proves
/// itself by a certificate and the gateway by a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AgentAddress {
    /// A socket of this machine.
    Local(LocalAddr),
    /// Another pod.
    Https(HttpsAddress),
}

/// `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsAddress {
    /// A DNS name or an address, to be resolved at each connect and sent as SNI.
    pub host: ServerName<'static>,
    /// The port.
    pub port: u16,
}

/// The text says nowhere to go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAgentAddress {
    /// Not a local address either.
    #[error(transparent)]
    Local(#[from] AddressError),
    /// It begins with `https://` and goes on wrongly.
    #[error("`{0}` is not https://host:port, for instance https://isthmus-agent.isthmus-system.svc:15012")]
    Https(String),
    /// Tokens are not sent in clear.
    #[error("`{0}` is not encrypted, and a token would be sent to it: write https://host:port")]
    Http(String),
}

impl HttpsAddress {
    /// `host:port` as a dialler takes it.
    pub fn authority(&self) -> String {
        let host = self.host.to_str();
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }
}

impl FromStr for AgentAddress {
    type Err = InvalidAgentAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAgentAddress> {
        if text.starts_with("http://") {
            return Err(InvalidAgentAddress::Http(text.to_owned()));
        }
        let Some(rest) = text.strip_prefix("https://") else {
            return Ok(Self::Local(text.parse()?));
        };
        https(rest.strip_suffix('/').unwrap_or(rest))
            .map(Self::Https)
            .ok_or_else(|| InvalidAgentAddress::Https(text.to_owned()))
    }
}

fn https(authority: &str) -> Option<HttpsAddress> {
    let (host, port) = authority.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']').filter(|host| host.contains(':'))?,
        None if host.contains(':') => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(HttpsAddress { host: ServerName::try_from(host.to_owned()).ok()?, port })
}

impl TryFrom<String> for AgentAddress {
    type Error = InvalidAgentAddress;

    fn try_from(text: String) -> Result<Self, InvalidAgentAddress> {
        text.parse()
    }
}

impl From<AgentAddress> for String {
    fn from(address: AgentAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(address) => address.fmt(f),
            Self::Https(address) => write!(f, "https://{}", address.authority()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_and_others_say_what_to_write() {
        for text in [
            "unix:/run/a.sock",
            "127.0.0.1:15010",
            "https://isthmus-agent.isthmus-system.svc:15012",
            "https://10.0.0.1:15012",
            "https://[fd00::1]:15012",
        ] {
            assert_eq!(text.parse::<AgentAddress>().unwrap().to_string(), text);
        }
        for wrong in [
            "https://agent",
            "https://agent:0",
            "https://agent:70000",
            "https://:15012",
            "https://agent:15012/path",
            "https://user@agent:15012",
            "https://fd00::1:15012",
            "https://[agent]:15012",
        ] {
            let error = wrong.parse::<AgentAddress>().unwrap_err();
            assert!(matches!(error, InvalidAgentAddress::Https(_)), "{wrong}: {error}");
        }
        assert!(matches!("http://agent:1".parse::<AgentAddress>(), Err(InvalidAgentAddress::Http(_))));
        assert!(matches!("10.0.0.1:1".parse::<AgentAddress>(), Err(InvalidAgentAddress::Local(_))));
    }
}
