//! The imports of this cluster, for people to look at.

use std::net::IpAddr;

use federation_model::{FederationView, Import};

use super::{PlanConfig, accepted};
use crate::local::LocalView;

/// A service that exists for this cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What its exports amount to.
    pub import: Import,
    /// Its VIP as this cluster sees it; empty while it has none, or if it is headless.
    pub vip: Vec<IpAddr>,
}

/// Every service that exists for this cluster, by name: the same ones that the plan is made of.
pub fn imports(view: &FederationView, local: &LocalView, config: &PlanConfig) -> Vec<Imported> {
    let effective = accepted::effective(view, local, config);
    let services = accepted::services(&effective, local, config);
    let imported = |service: accepted::Service<'_>| {
        let vip = service.vip().map(|vip| config.vip_view.addresses(vip)).unwrap_or_default();
        Imported { vip, import: service.import }
    };
    services.into_iter().map(imported).collect()
}
