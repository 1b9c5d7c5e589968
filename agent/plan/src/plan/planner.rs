//! [`plan`](super::plan()) with a memory: a service is planned again only where something that its plan is made from
//! has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_model::ascending::Ascending;
use federation_model::data_plane::{GatewayConfig, OutboundPort};
use federation_model::{FederationView, ServiceId};

use super::accepted::{Given, Surroundings};
use super::service_plan::ServicePlan;
use super::{PlanConfig, bundles, cluster_domains};
use crate::desired::{Desired, DnsTable};
use crate::local::LocalView;

/// Plans again and again. Gives what [`plan`](super::plan()) would, whatever it was asked before.
#[derive(Debug, Default)]
pub struct Planner {
    surroundings: Option<Surroundings>,
    planned: BTreeMap<ServiceId, Planned>,
    dns: Arc<DnsTable>,
}

#[derive(Debug)]
struct Planned {
    given: Given,
    plan: ServicePlan,
}

impl Planner {
    /// The desired state.
    pub fn plan(&mut self, view: &FederationView, local: &LocalView, config: &PlanConfig) -> Desired {
        self.refresh(view, local, config);
        let plans = || self.planned.values().map(|planned| &planned.plan);
        let ingress = plans().flat_map(|plan| plan.ingress.iter().cloned());
        let egress = plans().flat_map(|plan| &plan.egress).map(|(id, port)| {
            (id.clone(), OutboundPort { listen_port: config.listen_port(id), ..port.clone() })
        });
        let cluster_domains = cluster_domains(view, config);
        let gateway = GatewayConfig {
            cluster: config.cluster.clone(),
            trust_domain: config.trust_domain.clone(),
            bundles: bundles(view, config, &cluster_domains),
            cluster_domains,
            ingress: ingress.collect(),
            egress: egress.collect(),
        };
        Desired { dns: Arc::clone(&self.dns), gateway }
    }

    fn refresh(&mut self, view: &FederationView, local: &LocalView, config: &PlanConfig) {
        let surroundings = Surroundings::of(view, config);
        if self.surroundings.as_ref() != Some(&surroundings) {
            self.planned.clear();
        }
        let same_records = if self.planned.keys().eq(view.exports.keys()) {
            self.replan(view, local, &surroundings)
        } else {
            self.plan_others(view, local, &surroundings);
            false
        };
        if !same_records {
            let of = |(id, planned): (&ServiceId, &Planned)| Some((id.clone(), planned.plan.dns.clone()?));
            self.dns = Arc::new(DnsTable { services: self.planned.iter().filter_map(of).collect() });
        }
        self.surroundings = Some(surroundings);
    }

    /// The same services as before. Gives back whether they have the same records.
    fn replan(&mut self, view: &FederationView, local: &LocalView, surroundings: &Surroundings) -> bool {
        let mut same_records = true;
        for ((id, given), planned) in Given::all(view, local).zip(self.planned.values_mut()) {
            if planned.given != given {
                let plan = ServicePlan::of(id, &given, surroundings);
                same_records &= planned.plan.dns == plan.dns;
                *planned = Planned { given, plan };
            }
        }
        same_records
    }

    /// Services have come or gone.
    fn plan_others(&mut self, view: &FederationView, local: &LocalView, surroundings: &Surroundings) {
        let mut before = Ascending::new(std::mem::take(&mut self.planned));
        let planned = |(id, given): (&ServiceId, Given)| {
            let planned = before.take(id).filter(|before| before.given == given).unwrap_or_else(|| {
                let plan = ServicePlan::of(id, &given, surroundings);
                Planned { given, plan }
            });
            (id.clone(), planned)
        };
        self.planned = Given::all(view, local).map(planned).collect();
    }
}
