//! ClusterProperties (KEP-2149, About API).

use std::collections::BTreeMap;

use crate::mcs::input::Input;
use crate::mcs::names::{CLUSTER_PROPERTY, CLUSTERSET_PROPERTY};
use crate::mcs::observed::Observed;

/// Both properties, as long as the federation counts this cluster among its members, and no longer.
pub(super) fn properties(input: &Input, observed: &Observed) -> BTreeMap<String, String> {
    if !(input.catalogue.member && observed.capabilities.properties) {
        return BTreeMap::new();
    }
    BTreeMap::from([
        (CLUSTER_PROPERTY.to_owned(), input.plan.cluster.to_string()),
        (CLUSTERSET_PROPERTY.to_owned(), input.clusterset.to_string()),
    ])
}
