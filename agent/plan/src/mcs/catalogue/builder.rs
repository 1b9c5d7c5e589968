//! Catalogues, one after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::ascending::Ascending;
use federation_model::{ClusterId, Export, Exporters, FederationView, Import, Revision, ServiceId};

use super::{Catalogue, Exporter, Known, Listed, Offered, Verdict};
use crate::local::{LocalExport, LocalView};

/// Remembers what the last catalogue was made from, so that a service is merged again only where one of its exports has
/// changed.
#[derive(Debug, Default)]
pub struct CatalogueBuilder {
    last: Arc<Catalogue>,
    made_of: BTreeMap<ServiceId, MadeOf>,
}

/// What a service was made from.
#[derive(Debug)]
struct MadeOf {
    exporters: Arc<Exporters>,
    own: Own,
}

/// What counts of this cluster's own export of a service.
#[derive(Debug, Clone)]
enum Own {
    /// What it offers now, with the federation's word on its age.
    Offered(Arc<LocalExport>),
    /// Nothing: its ServiceExport is not valid.
    Invalid,
    /// What the federation has, if the ServiceExport is there.
    Unjudged,
}

impl CatalogueBuilder {
    /// What the controller of `cluster` is to know; the same pointer as before where that has not changed. `confirmed`
    /// says whether a server has vouched for `view` since the start.
    pub fn build(
        &mut self,
        cluster: &ClusterId,
        view: &FederationView,
        local: &LocalView,
        confirmed: bool,
    ) -> Arc<Catalogue> {
        let catalogue = Catalogue {
            known: match view.revision {
                Revision(0) => Known::Never,
                _ if confirmed => Known::Confirmed,
                _ => Known::Remembered,
            },
            member: view.clusters.contains_key(cluster),
            alive: view.clusters.values().filter(|c| c.lease.is_held()).map(|c| c.id.clone()).collect(),
            services: self.services(cluster, view, local),
            verdicts: verdicts(local),
        };
        if *self.last != catalogue {
            self.last = Arc::new(catalogue);
        }
        Arc::clone(&self.last)
    }

    fn services(
        &mut self,
        cluster: &ClusterId,
        view: &FederationView,
        local: &LocalView,
    ) -> BTreeMap<ServiceId, Listed> {
        let mut before = Ascending::new(std::mem::take(&mut self.made_of));
        let mut last = Ascending::new(&self.last.services);
        let mut vips = Ascending::new(&view.vips);
        let (mut valid, mut invalid) = (Ascending::new(&local.exports), Ascending::new(&local.invalid));
        let (mut made, mut services) = (Vec::new(), Vec::new());
        for (id, exporters) in &view.exports {
            let own = match (valid.take(id), invalid.take(id)) {
                (Some(own), _) => Own::Offered(Arc::clone(own)),
                (None, Some(_)) => Own::Invalid,
                (None, None) => Own::Unjudged,
            };
            let made_of = MadeOf { exporters: Arc::clone(exporters), own };
            let vip = vips.take(id).copied();
            let last = last.take(id);
            let listed = match (last, before.take(id)) {
                (Some(last), Some(before)) if before.same(&made_of) => Listed { vip, ..last.clone() },
                _ => listed(cluster, &made_of, last, vip),
            };
            made.push((id.clone(), made_of));
            services.push((id.clone(), listed));
        }
        // Sorted already, which makes a map of them in one go.
        self.made_of = made.into_iter().collect();
        services.into_iter().collect()
    }
}

impl MadeOf {
    fn same(&self, other: &Self) -> bool {
        let same_own = match (&self.own, &other.own) {
            (Own::Offered(one), Own::Offered(other)) => Arc::ptr_eq(one, other),
            (Own::Invalid, Own::Invalid) | (Own::Unjudged, Own::Unjudged) => true,
            _ => false,
        };
        same_own && Arc::ptr_eq(&self.exporters, &other.exporters)
    }
}

fn listed(
    cluster: &ClusterId,
    made_of: &MadeOf,
    last: Option<&Listed>,
    vip: Option<federation_model::Vip>,
) -> Listed {
    let unjudged = matches!(made_of.own, Own::Unjudged) && made_of.exporters.contains_key(cluster);
    let keep = |last: Option<&Arc<Offered>>, now: Option<Offered>| {
        let now = now?;
        Some(last.filter(|last| ***last == now).map_or_else(|| Arc::new(now), Arc::clone))
    };
    Listed {
        vip,
        offered: keep(last.and_then(|last| last.offered.as_ref()), offered(cluster, made_of, false)),
        with_unjudged: keep(
            last.and_then(|last| last.with_unjudged.as_ref()),
            unjudged.then(|| offered(cluster, made_of, true)).flatten(),
        ),
    }
}

fn offered(cluster: &ClusterId, made_of: &MadeOf, with_unjudged: bool) -> Option<Offered> {
    let counts = |export| counts(export, cluster, &made_of.own, with_unjudged);
    let exports: Vec<Cow<'_, Export>> =
        made_of.exporters.values().map(AsRef::as_ref).filter_map(counts).collect();
    let import = Import::merge(exports.iter().map(AsRef::as_ref))?;
    let exporters = exports.into_iter().map(exporter).collect();
    Some(Offered { import, exporters })
}

fn counts<'a>(
    export: &'a Export,
    cluster: &ClusterId,
    own: &Own,
    with_unjudged: bool,
) -> Option<Cow<'a, Export>> {
    if export.cluster != *cluster {
        return export.visible_to(cluster).then_some(Cow::Borrowed(export));
    }
    match own {
        Own::Offered(own) => {
            let (first_seen, generation) = (export.first_seen, export.generation);
            Some(Cow::Owned(Export { first_seen, generation, ..Export::clone(&own.export) }))
        }
        Own::Unjudged if with_unjudged => Some(Cow::Borrowed(export)),
        Own::Unjudged | Own::Invalid => None,
    }
}

fn exporter(export: Cow<'_, Export>) -> Exporter {
    let ready = export.ready() > 0;
    let Export { cluster, ports, ip_families, endpoints, .. } = export.into_owned();
    Exporter { cluster, ports, ip_families, ready, endpoints }
}

fn verdicts(local: &LocalView) -> BTreeMap<ServiceId, Verdict> {
    let invalid = local.invalid.iter().map(|(id, wrong)| (id.clone(), Verdict::Invalid(wrong.clone())));
    let valid = local.exports.keys().map(|id| (id.clone(), Verdict::Valid));
    // An export is never both.
    valid.chain(invalid).collect()
}
