//! Services.

use std::sync::Arc;

use agent_plan::mcs::content::DerivedContent;
use agent_plan::mcs::observed::{Held, ObjectName};
use agent_plan::mcs::parse as mcs;
use federation_model::ServiceId;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Wire, typed};
use crate::source::kind::Kind;
use crate::source::message::{Change, Update};
use crate::source::parse;

/// A Service.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServiceItem {
    pub(crate) id: ServiceId,
    /// What exporting it needs, and what gateways are reached by; none of a derived Service of ours.
    pub(crate) theirs: Option<(Arc<Service>, LoadBalancer)>,
    /// A Service under a name of ours, whether it is ours or not.
    pub(crate) held: Option<(ObjectName, Arc<Held<DerivedContent>>)>,
}

/// `status.loadBalancer.ingress`, for the gateways' own Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoadBalancer {
    pub(crate) ips: Vec<String>,
    pub(crate) hostnames: Vec<String>,
}

impl Wire for ServiceItem {
    const KIND: Kind = Kind::Services;

    fn read(json: &str) -> Result<Self, String> {
        let service: Service = typed(json)?;
        let id = parse::service_id(&service.metadata)?;
        let ours = parse::is_our_service(&service.metadata);
        let held =
            (ours || parse::is_our_service_name(id.name.as_str())).then(|| mcs::derived(&service)).flatten();
        let theirs = (!ours).then(|| {
            let balancer = load_balancer(&service);
            (Arc::new(pruned(service)), balancer)
        });
        Ok(Self { id, theirs, held })
    }

    fn update(change: Change<Self>) -> Update {
        Update::Services(change)
    }
}

fn load_balancer(service: &Service) -> LoadBalancer {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = status.and_then(|status| status.ingress.as_deref()).unwrap_or_default();
    LoadBalancer {
        ips: ingress.iter().filter_map(|one| one.ip.clone()).collect(),
        hostnames: ingress.iter().filter_map(|one| one.hostname.clone()).collect(),
    }
}

/// Only what makes an export, and what tells how gateways are reached.
fn pruned(service: Service) -> Service {
    let spec = service.spec.map(|spec| ServiceSpec {
        type_: spec.type_,
        cluster_ip: spec.cluster_ip.filter(|ip| ip == "None"),
        cluster_ips: spec.cluster_ips.filter(|ips| ips.first().is_some_and(|ip| ip == "None")),
        external_traffic_policy: spec.external_traffic_policy,
        ports: spec.ports,
        session_affinity: spec.session_affinity,
        session_affinity_config: spec.session_affinity_config,
        internal_traffic_policy: spec.internal_traffic_policy,
        traffic_distribution: spec.traffic_distribution,
        ip_families: spec.ip_families,
        ..ServiceSpec::default()
    });
    let ObjectMeta { namespace, name, .. } = service.metadata;
    Service { metadata: ObjectMeta { namespace, name, ..ObjectMeta::default() }, spec, status: None }
}
