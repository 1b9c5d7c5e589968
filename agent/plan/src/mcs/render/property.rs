//! ClusterProperties.

use serde_json::{Value, json};

use super::{named, object};
use crate::mcs::crd::{ABOUT_GROUP, ABOUT_VERSION};
use crate::mcs::names::{MANAGED_BY, OURS};

pub(super) fn body(name: &str, value: &str) -> Value {
    let said = json!({ "metadata": { "labels": { MANAGED_BY: OURS } }, "spec": { "value": value } });
    object(&format!("{ABOUT_GROUP}/{ABOUT_VERSION}"), "ClusterProperty", said, named(name, None))
}
