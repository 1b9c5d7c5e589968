//! One service as it counts for this cluster: only what it may see, and its own offer as it is now.

use std::borrow::Cow;
use std::sync::Arc;

use federation_model::ascending::Ascending;
use federation_model::{
    Cluster, ClusterId, Export, ExportKind, Exporters, FederationView, Import, ServiceId, SharedMap,
    TrustDomain, Vip,
};

use super::PlanConfig;
use crate::local::{LocalExport, LocalView};
use crate::vip_view::VipView;

/// What the plan of every service depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Surroundings {
    pub(super) cluster: ClusterId,
    pub(super) trust_domain: TrustDomain,
    pub(super) vip_view: VipView,
    pub(super) clusters: SharedMap<ClusterId, Cluster>,
}

impl Surroundings {
    pub(super) fn of(view: &FederationView, config: &PlanConfig) -> Self {
        Self {
            cluster: config.cluster.clone(),
            trust_domain: config.trust_domain.clone(),
            vip_view: config.vip_view.clone(),
            clusters: view.clusters.clone(),
        }
    }
}

/// All that is known of one service. Cheap to compare with itself: equal pointers are not looked behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    exporters: Arc<Exporters>,
    own: Option<Arc<LocalExport>>,
    vip: Option<Vip>,
}

impl Given {
    /// What is known of each service that the federation knows.
    pub(super) fn all<'v>(
        view: &'v FederationView,
        local: &'v LocalView,
    ) -> impl Iterator<Item = (&'v ServiceId, Self)> {
        let (mut own, mut vips) = (Ascending::new(&local.exports), Ascending::new(&view.vips));
        view.exports.iter().map(move |(id, exporters)| {
            let (own, vip) = (own.take(id).cloned(), vips.take(id).copied());
            (id, Self { exporters: Arc::clone(exporters), own, vip })
        })
    }
}

/// One service that exists for this cluster.
#[derive(Debug)]
pub(super) struct Service<'a> {
    pub(super) id: &'a ServiceId,
    pub(super) import: Import,
    /// By exporter.
    pub(super) exports: Vec<Cow<'a, Export>>,
    /// This cluster's part in it.
    pub(super) own: Option<&'a LocalExport>,
    vip: Option<&'a Vip>,
}

impl<'a> Service<'a> {
    /// `None` if no export of it counts here. An own export that the federation has not accepted does not; one that is
    /// no longer offered does not either, though the federation may not know that yet.
    pub(super) fn of(id: &'a ServiceId, given: &'a Given, cluster: &ClusterId) -> Option<Self> {
        let mut own = None;
        let counts = |export: &'a Export| {
            if &export.cluster != cluster {
                return export.visible_to(cluster).then_some(Cow::Borrowed(export));
            }
            own = given.own.as_deref();
            // The age and the generation are the federation's word, the rest is what is offered now.
            let offered = own.map(|own| own.export.as_ref().clone())?;
            let (first_seen, generation) = (export.first_seen, export.generation);
            Some(Cow::Owned(Export { first_seen, generation, ..offered }))
        };
        let exports: Vec<_> = given.exporters.values().map(AsRef::as_ref).filter_map(counts).collect();
        let import = Import::merge(exports.iter().map(AsRef::as_ref))?;
        Some(Self { id, import, exports, own, vip: given.vip.as_ref() })
    }

    /// Its VIP, once the federation gave it one and if it is meant to have one.
    pub(super) fn vip(&self) -> Option<&Vip> {
        self.vip.filter(|_| self.import.kind == ExportKind::ClusterSetIp)
    }

    /// Whether the federation gave this service a VIP, whatever this cluster's own merge makes of it.
    pub(super) fn has_vip(&self) -> bool {
        self.vip.is_some()
    }
}
