//! The catalogue as it counts for this cluster: only what it may see, and its own offers as they are now.

use federation_model::{Export, ExportKind, FederationView, Import, ServiceId, Vip};

use super::PlanConfig;
use crate::local::{LocalExport, LocalView};

/// The view with this cluster's exports replaced by what it offers now. An own export that the federation has not
/// accepted is not in it; one that is no longer offered is not either, though the federation may not know that yet.
pub(super) fn effective(view: &FederationView, local: &LocalView, config: &PlanConfig) -> FederationView {
    let mut effective = FederationView {
        revision: view.revision,
        clusters: view.clusters.clone(),
        vips: view.vips.clone(),
        ..FederationView::default()
    };
    for (id, exporters) in &view.exports {
        for export in exporters.values() {
            let counts = if export.cluster == config.cluster {
                // The age and the generation are the federation's word, the rest is what is offered now.
                local.exports.get(id).map(|own| Export {
                    first_seen: export.first_seen,
                    generation: export.generation,
                    ..own.export.clone()
                })
            } else {
                export.visible_to(&config.cluster).then(|| export.clone())
            };
            if let Some(export) = counts {
                effective.exports.entry(id.clone()).or_default().insert(export.cluster.clone(), export);
            }
        }
    }
    effective
}

/// One service that exists for this cluster.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) id: &'a ServiceId,
    pub(super) import: Import,
    pub(super) exports: Vec<&'a Export>,
    /// This cluster's part in it.
    pub(super) own: Option<&'a LocalExport>,
    vip: Option<&'a Vip>,
}

impl Service<'_> {
    /// Its VIP, once the federation gave it one and if it is meant to have one.
    pub(super) fn vip(&self) -> Option<&Vip> {
        self.vip.filter(|_| self.import.kind == ExportKind::ClusterSetIp)
    }

    /// Whether the federation gave this service a VIP, whatever this cluster's own merge makes of it.
    pub(super) fn has_vip(&self) -> bool {
        self.vip.is_some()
    }
}

/// Every service of an effective view.
pub(super) fn services<'a>(
    view: &'a FederationView,
    local: &'a LocalView,
    config: &PlanConfig,
) -> Vec<Service<'a>> {
    let service = |(id, exporters): (&'a ServiceId, &'a std::collections::BTreeMap<_, Export>)| {
        let own = exporters.contains_key(&config.cluster).then(|| local.exports.get(id)).flatten();
        Some(Service {
            id,
            import: Import::merge(exporters.values())?,
            exports: exporters.values().collect(),
            own,
            vip: view.vips.get(id),
        })
    };
    view.exports.iter().filter_map(service).collect()
}
