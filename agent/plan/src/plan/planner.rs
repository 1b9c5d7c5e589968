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
        let plans = || self.planned.iter().map(|(id, planned)| (id, &planned.plan));
        let records = plans().filter_map(|(id, plan)| Some((id.clone(), Arc::clone(plan.dns.as_ref()?))));
        let ingress = plans().flat_map(|(_, plan)| plan.ingress.iter().cloned());
        let egress = plans().flat_map(|(_, plan)| &plan.egress).map(|(id, port)| {
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
        Desired { dns: DnsTable { services: records.collect() }, gateway }
    }

    fn refresh(&mut self, view: &FederationView, local: &LocalView, config: &PlanConfig) {
        let surroundings = Surroundings::of(view, config);
        if self.surroundings.as_ref() != Some(&surroundings) {
            self.planned.clear();
        }
        let mut before = Ascending::new(std::mem::take(&mut self.planned));
        let planned = |(id, given): (&ServiceId, Given)| {
            let planned = before.take(id).filter(|before| before.given == given).unwrap_or_else(|| {
                let plan = ServicePlan::of(id, &given, &surroundings);
                Planned { given, plan }
            });
            (id.clone(), planned)
        };
        self.planned = Given::all(view, local).map(planned).collect();
        self.surroundings = Some(surroundings);
    }
}
