//! The federation and this cluster's offers, as far as the controller decides by them.
//!
//! An endpoint that comes or goes behind a VIP is no change here, and such are most changes: the controller is not even
//! told of them. What did not change is shared with the catalogue before.

mod builder;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use federation_model::{ClusterId, Endpoint, Import, IpFamily, ServiceId, ServicePort, Vip};

use crate::local::InvalidExport;

pub use builder::CatalogueBuilder;

/// Everything that is known of services. Made by a [`CatalogueBuilder`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// How well the rest is known.
    pub known: Known,
    /// Whether the federation counts this cluster among its members.
    pub member: bool,
    /// Clusters whose lease is held. This cluster itself is alive, whoever is among these.
    pub alive: BTreeSet<ClusterId>,
    /// Services that have an exporter.
    pub services: BTreeMap<ServiceId, Listed>,
    /// What was found of this cluster's ServiceExports. One that was not judged yet is not among these.
    pub verdicts: BTreeMap<ServiceId, Verdict>,
}

/// How well the federation's catalogue is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Known {
    /// It was never seen: nothing is desired and nothing deleted.
    #[default]
    Never,
    /// As an earlier run left it, which may be older than what that run wrote last: what is there stays as it is.
    Remembered,
    /// A server has said since the start that it is so.
    Confirmed,
}

/// A service of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its address in the federation, once it has one.
    pub vip: Option<Vip>,
    /// By the exports that count in any case; `None` if none does.
    pub offered: Option<Arc<Offered>>,
    /// With this cluster's own export besides, which counts only while its ServiceExport is there: nobody has judged
    /// that one yet, for what is offered is a step behind what is observed.
    pub with_unjudged: Option<Arc<Offered>>,
}

/// A service and its exporters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// The exports that this cluster may see, merged.
    pub import: Import,
    /// In the order of their names.
    pub exporters: Vec<Exporter>,
}

/// What one cluster offers of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exporter {
    /// Who.
    pub cluster: ClusterId,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// The families that its Service names; empty where they are not known.
    pub ip_families: BTreeSet<IpFamily>,
    /// Whether any endpoint is ready.
    pub ready: bool,
    /// The endpoints themselves, of a headless service.
    pub endpoints: Vec<Endpoint>,
}

/// What was found of a ServiceExport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It can be exported.
    Valid,
    /// It cannot.
    Invalid(InvalidExport),
}

impl Offered {
    /// What a cluster offers of it.
    pub fn exporter(&self, cluster: &ClusterId) -> Option<&Exporter> {
        self.exporters.iter().find(|exporter| &exporter.cluster == cluster)
    }
}

#[cfg(test)]
mod tests;
