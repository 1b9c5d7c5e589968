//! Which kind of object a document is.

use super::Wrong;
use crate::source::files::yaml::{FieldPath, Node};

/// The kinds that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Namespace,
    Service,
    EndpointSlice,
    ServiceExport,
}

/// What a document says it is.
#[derive(Debug)]
pub(super) enum KindOf<'a> {
    Known(Kind),
    /// A `v1` List and its items.
    List(&'a [Node]),
    /// Something else, in words.
    Unknown(String),
}

/// The kinds by group, with the versions that are read.
const KINDS: [(&str, &str, &[&str], Kind); 4] = [
    ("", "Namespace", &["v1"], Kind::Namespace),
    ("", "Service", &["v1"], Kind::Service),
    ("discovery.k8s.io", "EndpointSlice", &["v1"], Kind::EndpointSlice),
    ("multicluster.x-k8s.io", "ServiceExport", &["v1beta1", "v1alpha1"], Kind::ServiceExport),
];

/// A kind of a group that is known, in a version that is not, is a mistake; any other kind is merely unknown.
pub(super) fn kind_of(node: &Node) -> Result<KindOf<'_>, Wrong> {
    let word = |key: &str| {
        let path = || FieldPath::of(&[key]);
        let value =
            node.get(key).ok_or_else(|| (path(), "is missing: not a Kubernetes object".to_owned()))?;
        value.text().ok_or_else(|| (path(), "is not a text".to_owned()))
    };
    let kind = word("kind")?;
    let api_version = word("apiVersion")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if (group, version, kind) == ("", "v1", "List") {
        let items = node.get("items").and_then(Node::items);
        return items
            .map(KindOf::List)
            .ok_or_else(|| (FieldPath::of(&["items"]), "is not a list".to_owned()));
    }
    match KINDS.iter().find(|(of_group, name, ..)| *of_group == group && *name == kind) {
        Some((_, _, versions, known)) if versions.contains(&version) => Ok(KindOf::Known(*known)),
        Some((_, _, versions, _)) => {
            let message = format!("{kind} is read in version {} of its group only", versions.join(" or "));
            Err((FieldPath::of(&["apiVersion"]), message))
        }
        None => {
            let short = |text: &str| text.chars().take(64).collect::<String>();
            Ok(KindOf::Unknown(format!("{} ({})", short(kind), short(api_version))))
        }
    }
}
