//! Which objects the controller must know of, and the ids that objects go by. What they say is read by
//! `agent_plan::mcs::parse`.

use agent_plan::mcs::names::{MANAGED_BY, OURS, SLICE_MANAGED_BY, SLICE_OURS};
use federation_model::ServiceId;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Digits of the hash in a name that the controller gives.
const HASH_DIGITS: usize = 10;

/// Whether a Service is a derived one of ours.
pub(super) fn is_our_service(metadata: &ObjectMeta) -> bool {
    label(metadata, MANAGED_BY) == Some(OURS)
}

/// Whether an EndpointSlice is one of ours.
pub(super) fn is_our_slice(metadata: &ObjectMeta) -> bool {
    label(metadata, SLICE_MANAGED_BY) == Some(SLICE_OURS)
}

/// Whether the name is one that this controller gives to derived Services: `isthmus-` and a hash. What has it without
/// our label is in the way, and the controller must know.
pub(super) fn is_our_service_name(name: &str) -> bool {
    name.strip_prefix("isthmus-").is_some_and(is_hash)
}

/// The same of slices: they end with a hash, a family, and perhaps a number.
pub(super) fn is_our_slice_name(name: &str) -> bool {
    let mut parts = name.rsplit('-').peekable();
    if parts.peek().is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit())) {
        parts.next();
    }
    matches!(parts.next(), Some("v4" | "v6")) && parts.next().is_some_and(is_hash)
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The id of an object that is named after a Service.
///
/// # Errors
/// With the name that no Service can have.
pub(super) fn service_id(metadata: &ObjectMeta) -> Result<ServiceId, String> {
    let namespace = metadata.namespace.as_deref().unwrap_or_default().parse();
    let name = metadata.name.as_deref().unwrap_or_default().parse();
    Ok(ServiceId {
        namespace: namespace.map_err(|wrong| format!("metadata.namespace: {wrong}"))?,
        name: name.map_err(|wrong| format!("metadata.name: {wrong}; no Service can have this name"))?,
    })
}

#[cfg(test)]
mod tests {
    use agent_plan::mcs::names;
    use federation_model::IpFamily;

    use super::*;

    #[test]
    fn names_of_the_controller_are_known_from_names_of_others() {
        let echo = "demo/echo".parse().unwrap();
        let derived = names::derived_name(&echo);
        assert!(is_our_service_name(&derived.name));
        assert!(is_our_slice_name(&names::derived_slice_name(&derived, IpFamily::IPv6).name));
        for index in [0, 7] {
            let name = names::mcs_slice_name(&echo, &"east".parse().unwrap(), IpFamily::IPv4, index).name;
            assert!(is_our_slice_name(&name), "{name}");
        }
        for theirs in ["isthmus-gateway", "isthmus-dns", "isthmus-", "echo", "isthmus-gateways1", "v4"] {
            assert!(!is_our_service_name(theirs) && !is_our_slice_name(theirs), "{theirs}");
        }
        for theirs in ["isthmus-gateway-x7k2p", "echo-abcde", "echo-v4", "-v4-1", "", "1"] {
            assert!(!is_our_slice_name(theirs), "{theirs}");
        }
    }
}
