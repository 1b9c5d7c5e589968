//! What a pod is told of itself by the downward API. Read once, at the start; the rest of the configuration is a file.

use std::net::IpAddr;

use federation_model::IpFamily;

/// The variables that count, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `POD_IPS`: `status.podIPs`, joined by commas, the primary one first.
    pub pod_ips: Option<String>,
    /// `POD_NAMESPACE`: `metadata.namespace`.
    pub pod_namespace: Option<String>,
}

/// Why `POD_IPS` says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IP address; POD_IPS is status.podIPs of the downward API")]
pub struct InvalidPodIps(String);

impl Environment {
    /// Those of this process. What is empty counts as not there.
    pub fn of_process() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self { pod_ips: read("POD_IPS"), pod_namespace: read("POD_NAMESPACE") }
    }

    /// Families of the pod's own addresses, its primary one first; empty where it was not told any.
    ///
    /// # Errors
    /// If one of them is no address.
    pub fn families(&self) -> Result<Vec<IpFamily>, InvalidPodIps> {
        let mut families = Vec::new();
        for text in self.pod_ips.iter().flat_map(|all| all.split(',')).map(str::trim) {
            let address: IpAddr = text.parse().map_err(|_| InvalidPodIps(text.to_owned()))?;
            let family = IpFamily::of(address);
            if !families.contains(&family) {
                families.push(family);
            }
        }
        Ok(families)
    }
}
