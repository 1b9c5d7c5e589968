//! No cluster sees an export outside whose scope it is, by what the exporter meant when it wrote that version.

use federation_model::{ClusterId, ExportScope, FederationView};

use super::{Property, Violation};
use crate::agent::version;
use crate::oracle::History;

/// An agent of `viewer` was given a view.
pub fn view(
    history: &History,
    agent: &str,
    viewer: &ClusterId,
    view: &FederationView,
) -> Result<(), Violation> {
    for export in view.exports.values().flat_map(|exporters| exporters.values()) {
        let key = (export.service.clone(), export.cluster.clone(), version(export));
        let allowed = match history.meant.get(&key) {
            _ if &export.cluster == viewer => true,
            Some(ExportScope::All) => true,
            Some(ExportScope::Clusters(named)) => named.contains(viewer),
            None => false,
        };
        if !allowed {
            let what = format!(
                "{agent} sees version {} of {} of {}, which is not for it, at {}",
                key.2, export.service, export.cluster, view.revision
            );
            return Err(Violation::of(Property::Scope, what));
        }
    }
    Ok(())
}
