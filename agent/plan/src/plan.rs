//! From the federation's catalogue and this cluster's offers to the desired state of its data plane.
//!
//! What this cluster offers counts as it is now, not as the federation last heard it, but only once the federation
//! has accepted it: before that it has no VIP and no rank among the exporters.

mod accepted;
mod dns;
mod egress;
mod imports;
mod ingress;
mod planner;
mod service_plan;
mod targets;

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::Arc;

use federation_model::data_plane::ServicePortId;
use federation_model::{Bundle, ClusterId, FederationView, TrustDomain};

use crate::desired::Desired;
use crate::local::LocalView;
use crate::vip_view::VipView;

pub use imports::{Imported, imports};
pub use planner::Planner;

/// What must be known of the cluster besides what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanConfig {
    /// Its id.
    pub cluster: ClusterId,
    /// The domain of its workloads' identities and its gateways'.
    pub trust_domain: TrustDomain,
    /// The CAs of that domain, as this cluster itself holds them: they count more than what the federation says.
    pub bundle: Option<Bundle>,
    /// How VIPs look here.
    pub vip_view: VipView,
    /// Where gateways listen for each imported port on their own addresses; one that is not in it has no listener yet.
    /// `None` where they listen on the VIPs.
    pub listen_ports: Option<Arc<BTreeMap<ServicePortId, NonZeroU16>>>,
}

impl PlanConfig {
    fn listen_port(&self, id: &ServicePortId) -> Option<NonZeroU16> {
        self.listen_ports.as_ref()?.get(id).copied()
    }
}

/// The desired state. Pure: the same arguments give the same plan. Whoever plans again and again keeps a [`Planner`].
pub fn plan(view: &FederationView, local: &LocalView, config: &PlanConfig) -> Desired {
    Planner::default().plan(view, local, config)
}

/// This cluster's own domain is its own, whatever the catalogue says.
fn cluster_domains(view: &FederationView, config: &PlanConfig) -> BTreeMap<TrustDomain, ClusterId> {
    let others = view.clusters.values().filter(|c| c.id != config.cluster);
    let mut domains: BTreeMap<_, _> = others.map(|c| (c.trust_domain.clone(), c.id.clone())).collect();
    domains.insert(config.trust_domain.clone(), config.cluster.clone());
    domains
}

/// Bundles of the domains that belong to a cluster; nobody else's CA has any say in the data plane.
fn bundles(
    view: &FederationView,
    config: &PlanConfig,
    domains: &BTreeMap<TrustDomain, ClusterId>,
) -> BTreeMap<TrustDomain, Bundle> {
    let known = view
        .bundles
        .iter()
        .filter(|(domain, bundle)| domains.contains_key(*domain) && &bundle.trust_domain == *domain);
    let mut bundles: BTreeMap<_, _> =
        known.map(|(domain, bundle)| (domain.clone(), bundle.clone())).collect();
    if let Some(own) = config.bundle.as_ref().filter(|own| own.trust_domain == config.trust_domain) {
        bundles.insert(config.trust_domain.clone(), own.clone());
    }
    bundles
}

#[cfg(test)]
mod tests;
