//! ClusterProperties.

use std::sync::Arc;

use super::meta;
use crate::mcs::crd::ClusterProperty;
use crate::mcs::names::{MANAGED_BY, OURS};
use crate::mcs::observed::Held;

/// Longest value that is kept, in bytes; ours are far shorter.
const MAX_VALUE: usize = 1_024;

/// A ClusterProperty, whoever made it.
pub fn property(object: &ClusterProperty) -> Option<(String, Arc<Held<String>>)> {
    let value = object.spec.known().map(|spec| &spec.value).filter(|value| value.len() <= MAX_VALUE);
    let held = meta::held(&object.metadata, (MANAGED_BY, OURS), value.cloned());
    Some((object.metadata.name.clone()?, held))
}
