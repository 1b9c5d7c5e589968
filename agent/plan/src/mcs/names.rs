//! The names that the controller's objects go by, and the labels and annotations that mark them.
//!
//! Names are functions of what the object is for: two agents of one cluster, or one after a restart, mean the same
//! object by the same name.

use std::num::NonZeroU16;

use federation_model::{ClusterId, IpFamily, PortName, ServiceId};
use sha2::{Digest, Sha256};

use super::observed::ObjectName;

/// The field manager of every write.
pub const FIELD_MANAGER: &str = "isthmus-agent";
/// The label that says whose a ServiceImport, a derived Service or a ClusterProperty is.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value on ours.
pub const OURS: &str = "isthmus";
/// The label that says whose an EndpointSlice is (discovery/v1).
pub const SLICE_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Its value on ours.
pub const SLICE_OURS: &str = "isthmus.dev";
/// The label that ties a slice to the Service that kube-proxy serves by it (discovery/v1).
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that ties a slice, or a derived Service, to its ServiceImport (KEP-1645).
pub const MCS_SERVICE_NAME: &str = "multicluster.kubernetes.io/service-name";
/// The label that says whose endpoints a slice has (KEP-1645).
pub const MCS_SOURCE_CLUSTER: &str = "multicluster.kubernetes.io/source-cluster";
/// The annotation with the hash of what was applied.
pub const CONTENT: &str = "isthmus.dev/content";
/// Prefix of the annotations that are ours.
pub const OUR_PREFIX: &str = "isthmus.dev/";
/// The class of derived Services. Nobody else may give them an address.
pub const VIP_CLASS: &str = "isthmus.dev/vip";
/// The ClusterProperty with the cluster's id (KEP-2149).
pub const CLUSTER_PROPERTY: &str = "cluster.clusterset.k8s.io";
/// The ClusterProperty with the clusterset's name (KEP-2149).
pub const CLUSTERSET_PROPERTY: &str = "clusterset.k8s.io";

/// Digits of a hash in a name: 50 bits, so that names never meet by chance.
const HASH_DIGITS: usize = 10;

/// The derived Service of an import: `isthmus-<hash of namespace/name>`, in the import's namespace.
pub fn derived_name(import: &ServiceId) -> ObjectName {
    let hash = hash(&[import.namespace.as_str(), "/", import.name.as_str()]);
    ObjectName { namespace: import.namespace.clone(), name: format!("isthmus-{hash}") }
}

/// The name of a derived Service's port: `p80`.
pub fn derived_port_name(port: NonZeroU16) -> Option<PortName> {
    format!("p{port}").parse().ok()
}

/// The slice of a derived Service for one family: `<derived Service>-v4`.
pub fn derived_slice_name(derived: &ObjectName, family: IpFamily) -> ObjectName {
    let name = format!("{}-{}", derived.name, short(family));
    ObjectName { namespace: derived.namespace.clone(), name }
}

/// The slice of what `source` exports of `import`: `<service>-<cluster>-<hash>-v4`, and `-1`, `-2` and so on for those
/// after the first. The hash keeps `a-b` of `c` apart from `a` of `b-c`.
pub fn mcs_slice_name(import: &ServiceId, source: &ClusterId, family: IpFamily, index: usize) -> ObjectName {
    let hash = hash(&[import.namespace.as_str(), "/", import.name.as_str(), "/", source.as_str()]);
    let mut name = format!("{}-{}-{hash}-{}", import.name, source, short(family));
    if index > 0 {
        name.push_str(&format!("-{index}"));
    }
    ObjectName { namespace: import.namespace.clone(), name }
}

fn short(family: IpFamily) -> &'static str {
    match family {
        IpFamily::IPv4 => "v4",
        IpFamily::IPv6 => "v6",
    }
}

/// The first digits of the SHA-256 of all parts, in base 32 (RFC 4648, lower case).
fn hash(parts: &[&str]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
    }
    let bits = digest.finalize().iter().take(8).fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let digit = |index: usize| {
        let value = (bits >> (59 - 5 * index)) & 31;
        ALPHABET.get(usize::try_from(value).unwrap_or_default()).map_or('a', |byte| char::from(*byte))
    };
    (0..HASH_DIGITS).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_an_object_is_for_and_never_meet() {
        let id = |text: &str| text.parse::<ServiceId>().unwrap();
        let cluster = |text: &str| text.parse::<ClusterId>().unwrap();
        // Fixed for ever: another name would leave the old object behind for a moment.
        assert_eq!(derived_name(&id("demo/echo")).name, "isthmus-2soqq2mch7");
        let derived = derived_slice_name(&derived_name(&id("demo/echo")), IpFamily::IPv6);
        assert_eq!(derived.name, "isthmus-2soqq2mch7-v6");
        let mcs = |service: &str, source: &str, index| {
            mcs_slice_name(&id(service), &cluster(source), IpFamily::IPv4, index).name
        };
        assert_eq!(mcs("demo/echo", "east", 0), "echo-east-ci2vbhrjfp-v4");
        assert_eq!(mcs("demo/echo", "east", 9), "echo-east-ci2vbhrjfp-v4-9");
        assert_ne!(mcs("demo/a-b", "c", 0), mcs("demo/a", "b-c", 0));
        assert_ne!(mcs("demo/a", "b", 0), mcs("other/a", "b", 0));
        let long = "x".repeat(63);
        assert!(mcs(&format!("demo/{long}"), &long, 9).len() <= 253);
    }
}
