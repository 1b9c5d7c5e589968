//! The configuration file.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use federation_kit::config::{self, ConfigError};
use federation_model::trust_domain::TrustDomain;
use serde::{Deserialize, Serialize};

mod agent;

pub use agent::{AgentAddress, HttpsAddress, InvalidAgentAddress};

/// Longest name of a gateway: that of a Kubernetes pod.
const MAX_NAME: usize = 253;
/// Most addresses that egress listens on.
const MAX_LISTEN: usize = 8;

/// The configuration file of `isthmus-gateway`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names this gateway in the agent's status; the host's name where absent, which is a pod's.
    #[serde(default = "hostname")]
    pub name: String,
    /// Where the agent is: `unix:/path`, a loopback address, or `https://host:port`.
    pub agent: AgentAddress,
    /// By whom an agent at `https` is believed: a PEM file, read again when it changes. Waited for while it is not there.
    #[serde(default = "default_agent_ca")]
    pub agent_ca: PathBuf,
    /// The cluster's trust domain, in which the agent is; absent: that which the certificates of `agent_ca` name.
    #[serde(default)]
    pub trust_domain: Option<TrustDomain>,
    /// The service-account token that an agent at `https` is shown, read again for every call.
    #[serde(default = "default_agent_token_file")]
    pub agent_token_file: PathBuf,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Egress {
    /// Whether to listen for imported services.
    pub enabled: bool,
    /// The gateway's own addresses to listen on where the agent gives ports for them; empty: all.
    #[serde(deserialize_with = "one_or_more")]
    pub listen: Vec<IpAddr>,
}

impl Default for Egress {
    fn default() -> Self {
        Self { enabled: true, listen: Vec::new() }
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
        let listen = &self.egress.listen;
        if listen.len() > MAX_LISTEN {
            return Err(ConfigError::invalid(
                path,
                "egress.listen",
                format!("at most {MAX_LISTEN} addresses"),
            ));
        }
        if let Some((_, twice)) =
            listen.iter().enumerate().find(|(at, ip)| listen.iter().take(*at).any(|o| o == *ip))
        {
            return Err(ConfigError::invalid(path, "egress.listen", format!("{twice} is there twice")));
        }
        for (key, file) in [("agent_ca", &self.agent_ca), ("agent_token_file", &self.agent_token_file)] {
            if !file.is_absolute() {
                return Err(ConfigError::invalid(
                    path,
                    key,
                    format!("`{}` is not an absolute path", file.display()),
                ));
            }
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

/// The host's name; in Kubernetes that is the pod's, unless it shares its node's network.
fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn default_agent_ca() -> PathBuf {
    PathBuf::from("/etc/isthmus/ca/ca.pem")
}

fn default_agent_token_file() -> PathBuf {
    PathBuf::from("/var/run/secrets/tokens/isthmus-agent")
}

/// One address, or a list of them.
fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an IP address such as \"0.0.0.0\", or a list of them")]
    enum Listen {
        One(IpAddr),
        More(Vec<IpAddr>),
    }
    Ok(match Listen::deserialize(from)? {
        Listen::One(ip) => vec![ip],
        Listen::More(all) => all,
    })
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
        assert!(config.egress.listen.is_empty());
        assert_eq!(config.limits, Limits::default());
        let config = read(&LEAST.replace("name = \"gw\"\n", "")).unwrap();
        assert!(!config.name.is_empty(), "the host has a name");
        for listen in ["\"::\"", "[\"0.0.0.0\", \"::\"]"] {
            read(&format!("{LEAST}[egress]\nlisten = {listen}\n")).unwrap();
        }
        let pod = read(&LEAST.replace("unix:/run/a.sock", "https://isthmus-agent.isthmus-system.svc:15012"));
        let pod = pod.unwrap();
        assert_eq!(pod.agent_ca, Path::new("/etc/isthmus/ca/ca.pem"));
        assert_eq!(pod.agent_token_file, Path::new("/var/run/secrets/tokens/isthmus-agent"));
        // What is shown at `/config` can be read again.
        assert_eq!(read(&toml::to_string(&pod).unwrap()).unwrap(), pod);
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
            (LEAST.replace("unix:/run/a.sock", "http://agent:15012"), "write https://"),
            (LEAST.replace("unix:/run/a.sock", "https://agent"), "https://host:port"),
            (format!("trust_domain = \"East Lab\"\n{LEAST}"), "trust_domain"),
            (format!("agent_ca = \"ca.pem\"\n{LEAST}"), "agent_ca"),
            (format!("agent_token_file = \"\"\n{LEAST}"), "agent_token_file"),
            (format!("{LEAST}[egress]\nlisten = \"eth0\"\n"), "IP address"),
            (format!("{LEAST}[egress]\nlisten = [\"::\", \"::\"]\n"), "twice"),
        ];
        for (text, named) in cases {
            let error = read(&text).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
