//! What the API server should hold.
//!
//! Only what is known counts: while the catalogue was never seen ([`Known`]) nothing is desired but
//! the verdicts on this cluster's own ServiceExports, and [`Desired::confirmed`] keeps [`diff`](super::diff) from taking
//! the silence for an answer.

mod conflict;
mod derived;
mod exports;
mod imports;
mod properties;
mod services;
mod slices;

use std::collections::BTreeMap;

use federation_model::ServiceId;

use super::catalogue::Known;
use super::content::{Condition, DerivedContent, ImportContent, ImportStatus, SliceContent};
use super::input::Input;
use super::observed::{ObjectName, Observed};
use services::Service;

/// The desired objects. Ordered and without duplicates, so that equal inputs give equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Whether this is so now. Otherwise absence from the other fields does not mean that an object should not be, and
    /// what is there is not changed by them.
    pub confirmed: bool,
    /// ServiceImports.
    pub imports: BTreeMap<ServiceId, DesiredImport>,
    /// Derived Services.
    pub derived: BTreeMap<ObjectName, DerivedContent>,
    /// EndpointSlices.
    pub slices: BTreeMap<ObjectName, DesiredSlice>,
    /// Conditions of this cluster's ServiceExports.
    pub export_conditions: BTreeMap<ServiceId, Vec<Condition>>,
    /// ClusterProperties: their values.
    pub properties: BTreeMap<String, String>,
}

/// A ServiceImport as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredImport {
    /// Its spec, labels and annotations.
    pub content: ImportContent,
    /// Its status.
    pub status: ImportStatus,
}

/// An EndpointSlice as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredSlice {
    /// The ServiceImport that owns it.
    pub import: ServiceId,
    /// What it says.
    pub content: SliceContent,
}

/// What should be. Pure: the same arguments give the same result.
pub fn desired(input: &Input, observed: &Observed) -> Desired {
    let known = input.catalogue.known != Known::Never;
    let services = if known { services::services(input, observed) } else { Vec::new() };
    let mut desired = Desired {
        confirmed: input.catalogue.known == Known::Confirmed,
        export_conditions: exports::conditions(input, observed, &services),
        properties: if known { properties::properties(input, observed) } else { BTreeMap::new() },
        ..Desired::default()
    };
    if observed.capabilities.imports.is_none() {
        return desired;
    }
    let gateways = slices::gateways(input, observed);
    for service in services.iter().filter(|service| observed.namespaces.contains(&service.id.namespace)) {
        let import = imports::import(service, input, &observed.capabilities);
        // Under the ServiceImport of somebody else nothing of ours can stand: it is not our word on this service.
        if observed.imports.get(service.id).is_none_or(|held| held.ours) {
            add_dependants(&mut desired, service, &import.content, input, &gateways);
        }
        desired.imports.insert(service.id.clone(), import);
    }
    desired
}

fn add_dependants(
    desired: &mut Desired,
    service: &Service<'_>,
    content: &ImportContent,
    input: &Input,
    gateways: &slices::Gateways,
) {
    if let Some((name, derived)) = derived::derived(service.id, content) {
        slices::of_derived(&mut desired.slices, &name, &derived, input, gateways);
        desired.derived.insert(name, derived);
    }
    slices::of_exporters(&mut desired.slices, service, content, input, gateways);
}

#[cfg(test)]
mod tests;
