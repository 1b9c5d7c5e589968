//! How a Service behaves, as its owner set it: what importers take over as it is.

use std::collections::BTreeSet;

use federation_model::IpFamily;
use federation_model::export::{InternalTrafficPolicy, MAX_TRAFFIC_DISTRIBUTION, SessionAffinity};
use k8s_openapi::api::core::v1::ServiceSpec;

use super::{field, shortened};
use crate::local::InvalidExport;

/// `timeoutSeconds` where `sessionAffinity: ClientIP` gives none (core/v1 ClientIPConfig).
const DEFAULT_AFFINITY_SECONDS: i32 = 10_800;
/// Longest `timeoutSeconds` (core/v1 ClientIPConfig).
const MAX_AFFINITY_SECONDS: i32 = 86_400;

pub(super) fn session_affinity(spec: &ServiceSpec) -> Result<SessionAffinity, InvalidExport> {
    match spec.session_affinity.as_deref() {
        None | Some("" | "None") => Ok(SessionAffinity::None),
        Some("ClientIP") => {
            let given =
                spec.session_affinity_config.as_ref().and_then(|c| c.client_ip.as_ref()?.timeout_seconds);
            let seconds = given.unwrap_or(DEFAULT_AFFINITY_SECONDS);
            match u32::try_from(seconds) {
                Ok(timeout_seconds) if (1..=MAX_AFFINITY_SECONDS).contains(&seconds) => {
                    Ok(SessionAffinity::ClientIp { timeout_seconds })
                }
                _ => Err(field(
                    "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
                    format!("{seconds} is not between 1 and {MAX_AFFINITY_SECONDS}"),
                )),
            }
        }
        Some(other) => {
            Err(field("spec.sessionAffinity", format!("{:?} is neither None nor ClientIP", shortened(other))))
        }
    }
}

pub(super) fn internal_traffic_policy(spec: &ServiceSpec) -> Result<InternalTrafficPolicy, InvalidExport> {
    match spec.internal_traffic_policy.as_deref() {
        None | Some("" | "Cluster") => Ok(InternalTrafficPolicy::Cluster),
        Some("Local") => Ok(InternalTrafficPolicy::Local),
        Some(other) => {
            let problem = format!("{:?} is neither Cluster nor Local", shortened(other));
            Err(field("spec.internalTrafficPolicy", problem))
        }
    }
}

/// An open set of words: ours is to carry them.
pub(super) fn traffic_distribution(spec: &ServiceSpec) -> Result<Option<String>, InvalidExport> {
    let Some(text) = spec.traffic_distribution.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.len() > MAX_TRAFFIC_DISTRIBUTION || !text.chars().all(|c| c.is_ascii_graphic()) {
        let problem = format!("{:?} is not a traffic distribution", shortened(text));
        return Err(field("spec.trafficDistribution", problem));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn ip_families(spec: &ServiceSpec) -> Result<BTreeSet<IpFamily>, InvalidExport> {
    let family = |text: &String| match text.as_str() {
        "IPv4" => Ok(IpFamily::IPv4),
        "IPv6" => Ok(IpFamily::IPv6),
        other => {
            let problem = format!("{:?} is neither IPv4 nor IPv6", shortened(other));
            Err(field("spec.ipFamilies", problem))
        }
    };
    spec.ip_families.iter().flatten().map(family).collect()
}
