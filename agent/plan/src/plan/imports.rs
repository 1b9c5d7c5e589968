//! The imports of this cluster.

use std::net::IpAddr;

use federation_model::{FederationView, Import};

use super::PlanConfig;
use super::accepted::{Given, Service};
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
    let imported = |(id, given)| {
        let service = Service::of(id, &given, &config.cluster)?;
        let vip = service.vip().map(|vip| config.vip_view.addresses(vip)).unwrap_or_default();
        Some(Imported { vip, import: service.import })
    };
    Given::all(view, local).filter_map(imported).collect()
}
