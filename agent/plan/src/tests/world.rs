//! A small clusterset built from YAML, as its agents would see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::ServiceExport;
use crate::vip_view::IpFamily;
use crate::{ClusterFacts, Desired, LocalObjects, LocalView, PlanConfig, VipView, derive, plan};
use federation_model::bundle::AuthorityDer;
use federation_model::{
    Bundle, Cluster, ClusterId, FederationView, Gateway, Generation, Lease, Revision, ServiceId, TrustDomain,
    UnixMillis, VipRanges,
};
use serde_json::Value;

/// Clusters, what they offer, and the catalogue that follows when every offer is accepted in the order of names.
pub(super) struct World {
    pub(super) view: FederationView,
    pub(super) locals: BTreeMap<ClusterId, LocalView>,
}

impl World {
    pub(super) fn new(clusters: &[(&str, &str)]) -> Self {
        let mut world = Self { view: FederationView::default(), locals: BTreeMap::new() };
        world.view.revision = Revision(100);
        for (index, (name, yaml)) in clusters.iter().enumerate() {
            let facts = facts(name);
            let local = derive(&objects(yaml), &facts);
            let number = u8::try_from(index).unwrap() + 1;
            world.view.clusters.insert(facts.cluster.clone(), cluster(&facts, number));
            let bundle = bundle(&facts.trust_domain, number);
            world.view.bundles.insert(facts.trust_domain.clone(), bundle);
            for (id, own) in &local.exports {
                let mut export = own.export.as_ref().clone();
                export.first_seen = UnixMillis(u64::from(number));
                export.generation = Generation(1);
                let exporters = world.view.exports.get_or_insert_with(id, Arc::default);
                Arc::make_mut(exporters).insert(facts.cluster.clone(), Arc::new(export));
            }
            world.locals.insert(facts.cluster, local);
        }
        let services: Vec<ServiceId> = world.view.exports.keys().cloned().collect();
        for (index, id) in (0..).zip(services) {
            world.view.vips.insert(id, VipRanges::DEFAULT.nth(index).unwrap());
        }
        world
    }

    pub(super) fn plan(&self, cluster: &str) -> Desired {
        plan(&self.view, &self.locals[&cluster.parse::<ClusterId>().unwrap()], &config(cluster))
    }

    /// Replaces what one cluster offers, without telling the federation.
    pub(super) fn edit(&mut self, cluster: &str, yaml: &str) {
        self.locals.insert(cluster.parse().unwrap(), derive(&objects(yaml), &facts(cluster)));
    }
}

pub(super) fn facts(cluster: &str) -> ClusterFacts {
    ClusterFacts {
        cluster: cluster.parse().unwrap(),
        trust_domain: format!("{cluster}.lab").parse().unwrap(),
        zone: None,
    }
}

pub(super) fn config(cluster: &str) -> PlanConfig {
    let facts = facts(cluster);
    PlanConfig {
        cluster: facts.cluster,
        bundle: Some(bundle(&facts.trust_domain, 0)),
        trust_domain: facts.trust_domain,
        vip_view: VipView::new(&[IpFamily::IPv4], &["127.241.0.0/16".parse().unwrap()]).unwrap(),
        listen_ports: None,
    }
}

pub(super) fn cluster(facts: &ClusterFacts, number: u8) -> Cluster {
    Cluster {
        id: facts.cluster.clone(),
        network: facts.cluster.as_str().parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: facts.trust_domain.clone(),
        gateways: vec![Gateway {
            address: format!("192.0.2.{number}:15443").parse().unwrap(),
            zone: None,
            weight: 1,
        }],
        lease: Lease::Held { instance: "0".repeat(32).parse().unwrap(), until: UnixMillis(10_000) },
    }
}

fn bundle(domain: &TrustDomain, byte: u8) -> Bundle {
    Bundle {
        trust_domain: domain.clone(),
        authorities: vec![AuthorityDer(vec![byte])],
        sequence: 1,
        refresh_hint: 60,
    }
}

/// Objects from YAML, strictly: the tests' own input is always right. Reading what people write is the source's work.
pub(super) fn objects(yaml: &str) -> LocalObjects {
    let mut objects = LocalObjects::default();
    for document in serde_saphyr::from_multiple::<Value>(yaml).unwrap() {
        let meta = document["metadata"].clone();
        let id = || ServiceId {
            namespace: meta["namespace"].as_str().unwrap().parse().unwrap(),
            name: meta["name"].as_str().unwrap().parse().unwrap(),
        };
        let map = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
        match document["kind"].as_str().unwrap() {
            "Namespace" => {
                objects.namespaces.insert(meta["name"].as_str().unwrap().parse().unwrap());
            }
            "Service" => {
                objects.services.insert(id(), Arc::new(serde_json::from_value(document).unwrap()));
            }
            "EndpointSlice" => {
                let service = ServiceId {
                    name: meta["labels"]["kubernetes.io/service-name"].as_str().unwrap().parse().unwrap(),
                    ..id()
                };
                let name = meta["name"].as_str().unwrap().to_owned();
                let slice = serde_json::from_value(document).unwrap();
                Arc::make_mut(objects.slices.entry(service).or_default()).insert(name, Arc::new(slice));
            }
            "ServiceExport" => {
                let export = ServiceExport {
                    annotations: map(&meta["annotations"]),
                    exported_labels: map(&document["spec"]["exportedLabels"]),
                    exported_annotations: map(&document["spec"]["exportedAnnotations"]),
                };
                objects.exports.insert(id(), Arc::new(export));
            }
            other => panic!("test input has a {other}"),
        }
    }
    objects
}
