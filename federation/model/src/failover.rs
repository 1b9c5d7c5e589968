//! In which order the exporters of one port are tried, as seen from one cluster. Pure, and the same everywhere: the
//! agents' plans and `isthmus explain` both ask this.

use std::fmt;
use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Lease};
use crate::export::{Export, Protocol};
use crate::ids::{ClusterId, Region, ServiceId, UnixMillis};
use crate::import::{Import, ImportPort};
use crate::shared_map::SharedMap;
use crate::view::FederationView;

/// One exporter's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// The exporter.
    pub cluster: ClusterId,
    /// Zero is best. Clusters of one tier share the traffic; a later tier is used when no earlier one can serve.
    /// Tiers have no gaps, as Envoy's priorities may not.
    pub tier: u8,
    /// Why it stands there.
    pub why: Why,
}

/// Why an exporter has its tier. The order of the variants is the order of the tiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Why {
    /// It is the asking cluster itself, with ready endpoints. Its own lease does not matter: it can see itself.
    Local {
        /// Ready endpoints.
        ready: u32,
    },
    /// Alive, ready, in the asker's region.
    SameRegion {
        /// The region of both.
        region: Region,
        /// Ready endpoints.
        ready: u32,
    },
    /// Alive and ready, in another region, or in one that either side did not name.
    OtherRegion {
        /// Its region, if it named one.
        region: Option<Region>,
        /// Ready endpoints.
        ready: u32,
    },
    /// Ready when last heard of. It may well be serving still: only its control link is known to be lost.
    LeaseExpired {
        /// When.
        at: UnixMillis,
        /// Endpoints ready then.
        ready: u32,
    },
    /// It says that no endpoint is ready.
    NotReady {
        /// Endpoints, none of them ready.
        total: u32,
    },
    /// It exports the service but the view has no such cluster, so that there is no way in.
    UnknownCluster,
}

impl Why {
    /// Variants of equal rank are one tier, whatever their data.
    fn rank(&self) -> u8 {
        match self {
            Self::Local { .. } => 0,
            Self::SameRegion { .. } => 1,
            Self::OtherRegion { .. } => 2,
            Self::LeaseExpired { .. } => 3,
            Self::NotReady { .. } => 4,
            Self::UnknownCluster => 5,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { ready } => write!(f, "local, {ready} ready"),
            Self::SameRegion { region, ready } => write!(f, "same region {region}, {ready} ready"),
            Self::OtherRegion { region: Some(region), ready } => write!(f, "region {region}, {ready} ready"),
            Self::OtherRegion { region: None, ready } => write!(f, "no region given, {ready} ready"),
            Self::LeaseExpired { at, ready } => {
                write!(f, "lease expired at {at}, {ready} ready when last heard of")
            }
            Self::NotReady { total } => write!(f, "none of {total} ready"),
            Self::UnknownCluster => f.write_str("cluster not known here"),
        }
    }
}

/// The exporters that serve `port` of the merged import of `service`, best first, and by cluster id inside a tier.
/// Exporters whose own port lost a conflict (KEP-1645) are left out: their port of that number goes elsewhere. Where
/// TCP and UDP have the same number, TCP is meant, since gateways carry nothing else.
pub fn rank(from: &ClusterId, view: &FederationView, service: &ServiceId, port: NonZeroU16) -> Vec<Ranked> {
    let Some(exports) = view.exports.get(service) else { return Vec::new() };
    let exports = || exports.values().map(AsRef::as_ref);
    let Some(import) = Import::merge(exports()) else { return Vec::new() };
    let Some(served) = import_port(&import, port) else { return Vec::new() };
    rank_port(from, &view.clusters, exports(), served)
}

/// The same for a port of an import that is merged already, from `exports`.
pub fn rank_port<'a>(
    from: &ClusterId,
    clusters: &SharedMap<ClusterId, Cluster>,
    exports: impl IntoIterator<Item = &'a Export>,
    served: &ImportPort,
) -> Vec<Ranked> {
    let here = clusters.get(from).and_then(|c| c.region.as_ref());
    let exporters = exports.into_iter().filter(|export| served.clusters.contains(&export.cluster));
    let mut found: Vec<(ClusterId, Why)> = exporters
        .map(|export| (export.cluster.clone(), judge(from, here, clusters.get(&export.cluster), export)))
        .collect();
    found.sort_by(|(a, a_why), (b, b_why)| (a_why.rank(), a).cmp(&(b_why.rank(), b)));

    let (mut tier, mut last) = (0, None);
    let mut place = |(cluster, why): (ClusterId, Why)| {
        let rank = why.rank();
        if last.is_some_and(|last| last != rank) {
            tier += 1;
        }
        last = Some(rank);
        Ranked { cluster, tier, why }
    };
    found.into_iter().map(&mut place).collect()
}

fn import_port(import: &Import, port: NonZeroU16) -> Option<&ImportPort> {
    let of = |protocol| import.ports.iter().find(|p| p.port.port == port && p.port.protocol == protocol);
    of(Protocol::Tcp).or_else(|| of(Protocol::Udp))
}

fn judge(from: &ClusterId, here: Option<&Region>, cluster: Option<&Cluster>, export: &Export) -> Why {
    let ready = export.ready();
    if ready == 0 {
        return Why::NotReady { total: export.total() };
    }
    if &export.cluster == from {
        return Why::Local { ready };
    }
    let Some(cluster) = cluster else { return Why::UnknownCluster };
    if let Lease::Expired { at } = cluster.lease {
        return Why::LeaseExpired { at, ready };
    }
    match &cluster.region {
        Some(region) if here == Some(region) => Why::SameRegion { region: region.clone(), ready },
        region => Why::OtherRegion { region: region.clone(), ready },
    }
}

#[cfg(test)]
mod tests;
