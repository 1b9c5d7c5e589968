//! `[source.kubernetes]`, and the two tables that have a meaning only beside it: `[control]` and `[gateway]`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;

use agent_plan::PortRange;
use federation_model::{Namespace, ServiceId};
use serde::Deserialize;

use super::environment::Environment;
use super::problems::Problems;

/// Where Isthmus is installed, unless the file or the pod says otherwise.
const NAMESPACE: &str = "isthmus-system";
/// Ports under it need a privilege.
const LOWEST_PORT: u16 = 1024;
/// Most service accounts that gateways may have.
const MAX_ACCOUNTS: usize = 16;

/// How the agent uses its cluster's API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// How to reach it; none: as a pod does.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; none: its current one.
    pub context: Option<String>,
    /// Where the agent's own Secret and ConfigMap are, and the gateways.
    pub namespace: Namespace,
    /// The Service whose ready endpoints are this cluster's gateways.
    pub gateway_service: ServiceId,
    /// Whether the MCS controller writes: imports, slices, conditions. Without it the agent only reads.
    pub write: bool,
    /// Where gateways listen for imported ports.
    pub egress_ports: PortRange,
    /// The listener for gateways that run in pods; none: only the Unix socket.
    pub control: Option<ControlConfig>,
}

/// The TLS listener for gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Service accounts that are gateways.
    pub accounts: BTreeSet<AccountName>,
    /// The ConfigMap that holds the CA which gateways know the agent by (key `ca.pem`).
    pub ca_config_map: String,
}

/// Names a service account: `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
}

/// Why a text does not name a service account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not namespace/name of a service account")]
pub struct InvalidAccountName(String);

impl FromStr for AccountName {
    type Err = InvalidAccountName;

    fn from_str(text: &str) -> Result<Self, InvalidAccountName> {
        let invalid = || InvalidAccountName(text.to_owned());
        let (namespace, name) = text.split_once('/').ok_or_else(invalid)?;
        let namespace = namespace.parse().map_err(|_| invalid())?;
        if !is_object_name(name) {
            return Err(invalid());
        }
        Ok(Self { namespace, name: name.to_owned() })
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A name as Kubernetes gives it to most objects: a DNS subdomain (RFC 1123) of at most 253 bytes.
fn is_object_name(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.len() <= 253
        && text.bytes().all(inner)
        && edge(text.bytes().next())
        && edge(text.bytes().next_back())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKubernetes {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    namespace: Option<String>,
    gateway_service: Option<String>,
    #[serde(default = "yes")]
    write: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawControl {
    listen: Option<String>,
    gateway_accounts: Option<Vec<String>>,
    ca_config_map: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGatewayPorts {
    egress_ports: Option<String>,
}

/// What the three tables say together.
pub(super) fn read(
    raw: RawKubernetes,
    control: Option<RawControl>,
    ports: Option<RawGatewayPorts>,
    environment: &Environment,
    problems: &mut Problems,
) -> Option<KubernetesConfig> {
    let own = environment.pod_namespace.as_deref();
    let namespace = raw.namespace.as_deref().or(own).unwrap_or(NAMESPACE);
    let namespace: Option<Namespace> = problems.parse("source.kubernetes.namespace", namespace);
    let service = raw.gateway_service.as_deref().unwrap_or("isthmus-gateway");
    let service = problems.parse("source.kubernetes.gateway_service", service);
    let ports = ports.and_then(|gateway| gateway.egress_ports);
    let egress_ports: Option<Option<PortRange>> =
        problems.parse_some("gateway.egress_ports", ports.as_deref());
    if let Some(Some(range)) = egress_ports
        && (1..LOWEST_PORT).filter_map(NonZeroU16::new).any(|port| range.contains(port))
    {
        problems.add(
            "gateway.egress_ports",
            format!("ports under {LOWEST_PORT} need a privilege that gateways do not have"),
        );
    }
    let control = match control {
        Some(control) => read_control(control, namespace.as_ref(), problems).map(Some),
        None => Some(None),
    };
    let namespace = namespace?;
    Some(KubernetesConfig {
        kubeconfig: raw.kubeconfig,
        context: raw.context,
        gateway_service: ServiceId { namespace: namespace.clone(), name: service? },
        namespace,
        write: raw.write,
        egress_ports: egress_ports?.unwrap_or_default(),
        control: control?,
    })
}

fn read_control(
    raw: RawControl,
    namespace: Option<&Namespace>,
    problems: &mut Problems,
) -> Option<ControlConfig> {
    let listen = match raw.listen {
        None => Some((Ipv4Addr::UNSPECIFIED, 15_012).into()),
        Some(text) => problems.parse("control.listen", &text),
    };
    let accounts = match raw.gateway_accounts {
        None => vec![format!("{}/isthmus-gateway", namespace?)],
        Some(given) => given,
    };
    if accounts.is_empty() || accounts.len() > MAX_ACCOUNTS {
        let given = accounts.len();
        problems.add("control.gateway_accounts", format!("{given} given, 1 to {MAX_ACCOUNTS} are allowed"));
    }
    let parsed: Vec<Option<AccountName>> =
        accounts.iter().map(|text| problems.parse("control.gateway_accounts", text)).collect();
    let ca_config_map = raw.ca_config_map.unwrap_or_else(|| "isthmus-ca".to_owned());
    if !is_object_name(&ca_config_map) {
        problems.add("control.ca_config_map", format!("`{ca_config_map}` is not a name of a ConfigMap"));
    }
    Some(ControlConfig {
        listen: listen?,
        accounts: parsed.into_iter().collect::<Option<_>>()?,
        ca_config_map,
    })
}
