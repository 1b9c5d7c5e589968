//! The imports of this cluster.

use std::net::IpAddr;

use federation_model::data_plane::ServicePortId;
use federation_model::export::Protocol;
use federation_model::{FederationView, Import, ImportPort};

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

/// The TCP ports behind a VIP: those that the plan has in its egress, without their targets.
pub fn imported_ports(
    view: &FederationView,
    local: &LocalView,
    config: &PlanConfig,
) -> impl Iterator<Item = ServicePortId> {
    Given::all(view, local).flat_map(|(id, given)| {
        let service = Service::of(id, &given, &config.cluster);
        let ports = service.filter(|service| service.vip().is_some()).map(|service| service.import.ports);
        let tcp = ports.into_iter().flatten().filter(|merged| merged.port.protocol == Protocol::Tcp);
        let named = |merged: ImportPort| ServicePortId { service: id.clone(), port: merged.port.port };
        tcp.map(named).collect::<Vec<_>>()
    })
}
