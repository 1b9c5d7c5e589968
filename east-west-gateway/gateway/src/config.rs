//! The configuration file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use federation_kit::config::{self, ConfigError};
use federation_kit::grpc::LocalAddr;
use serde::{Deserialize, Serialize};

/// Longest name of a gateway: that of a Kubernetes pod.
const MAX_NAME: usize = 253;

/// The configuration file of `isthmus-gateway`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names this gateway in the agent's status, for instance its pod's name.
    pub name: String,
    /// The agent's local socket: `unix:/path` or a loopback address.
    pub agent: LocalAddr,
    /// Where the last good configuration and the certificate are kept.
    pub data_dir: PathBuf,
    /// Where other clusters reach the gateway by mTLS.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz`, `/metrics`, `/config` and `/status` are served.
    #[serde(default = "default_http_listen")]
    pub http_listen: SocketAddr,
    /// Calls of local clients.
    #[serde(default)]
    pub egress: Egress,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// `[egress]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Whether to listen at the VIPs of imported services.
    pub enabled: bool,
}

impl Default for Egress {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// `[limits]`. All are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in each direction, those in handshakes included.
    pub max_connections: usize,
    /// Seconds until a client must have sent its ClientHello.
    pub hello_seconds: u64,
    /// Seconds for the rest of the handshake.
    pub handshake_seconds: u64,
    /// Seconds to reach an endpoint or a target, and as many again for the handshake with it.
    pub dial_seconds: u64,
    /// Seconds without a byte either way after which a connection is closed.
    pub idle_seconds: u64,
    /// Seconds after which a connection is closed whatever it does; absent: never.
    pub lifetime_seconds: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            hello_seconds: 5,
            handshake_seconds: 10,
            dial_seconds: 3,
            idle_seconds: 3_600,
            lifetime_seconds: None,
        }
    }
}

impl Limits {
    /// For one dial.
    pub fn dial(&self) -> Duration {
        Duration::from_secs(self.dial_seconds)
    }
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        config::load::<Self>(path)?.checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self, ConfigError> {
        if self.name.is_empty() || self.name.len() > MAX_NAME {
            return Err(ConfigError::invalid(path, "name", format!("must have 1 to {MAX_NAME} bytes")));
        }
        let limits = &self.limits;
        let numbers = [
            ("limits.max_connections", limits.max_connections as u64),
            ("limits.hello_seconds", limits.hello_seconds),
            ("limits.handshake_seconds", limits.handshake_seconds),
            ("limits.dial_seconds", limits.dial_seconds),
            ("limits.idle_seconds", limits.idle_seconds),
            ("limits.lifetime_seconds", limits.lifetime_seconds.unwrap_or(1)),
        ];
        // Durations of more than ten years overflow no clock, and nobody means them.
        match numbers.into_iter().find(|(_, value)| !(1..=315_360_000).contains(value)) {
            Some((key, _)) => Err(ConfigError::invalid(path, key, "must be between 1 and 315360000")),
            None => Ok(self),
        }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 15_443))
}

fn default_http_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 15_020))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"gw\"\nagent = \"unix:/run/a.sock\"\ndata_dir = \"/var/lib/gw\"\n";

    fn read(text: &str) -> Result<Config, String> {
        let path = Path::new("gateway.toml");
        config::parse::<Config>(path, text).and_then(|c| c.checked(path)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_least_configuration_has_documented_defaults() {
        let config = read(LEAST).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:15443");
        assert_eq!(config.http_listen.to_string(), "127.0.0.1:15020");
        assert!(config.egress.enabled);
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn a_mistake_is_named_with_its_key() {
        let cases = [
            (format!("{LEAST}lisen = \"0.0.0.0:1\"\n"), "lisen"),
            (LEAST.replace("\"gw\"", "\"\""), "name"),
            (LEAST.replace("unix:/run/a.sock", "unix:a.sock"), "agent"),
            (LEAST.replace("unix:/run/a.sock", "10.0.0.1:15010"), "loopback"),
            (format!("{LEAST}[limits]\nidle_seconds = 0\n"), "idle_seconds"),
            (format!("{LEAST}[limits]\nmax_connections = -1\n"), "max_connections"),
            (format!("{LEAST}[egress]\nenable = true\n"), "enable"),
            (LEAST.replace("name", "title"), "title"),
        ];
        for (text, named) in cases {
            let error = read(&text).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
