//! What remembers gives what forgets would give, whatever happened before.

use std::num::NonZeroU16;
use std::sync::Arc;

use crate::derive::Deriver;
use crate::mcs::CatalogueBuilder;
use crate::{LocalObjects, LocalView, PlanConfig, Planner, derive, plan};
use federation_model::{Exporters, FederationView, Lease, Revision, ServiceId, UnixMillis};
use proptest::prelude::*;
use serde_json::json;

use super::laws::{CLUSTERS, Offer, SERVICES, offer, world};
use super::world;

/// What happens between two plans.
#[derive(Debug, Clone)]
enum Happens {
    /// Some cluster says something of some service.
    Offered(Offer),
    /// A service is gone from the catalogue.
    Gone(usize),
    /// A lease runs out, or is taken again.
    Lease(usize, bool),
    /// Gateways are told where to listen, or not.
    Listen(bool),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => offer().prop_map(Happens::Offered),
        1 => (0..3usize).prop_map(Happens::Gone),
        1 => (0..4usize, any::<bool>()).prop_map(|(cluster, alive)| Happens::Lease(cluster, alive)),
        1 => any::<bool>().prop_map(Happens::Listen),
    ]
}

fn happen(what: &Happens, view: &mut FederationView, local: &mut LocalView, config: &mut PlanConfig) {
    match what {
        Happens::Offered(offer) => {
            let (news, own) = world(std::slice::from_ref(offer), &[false; 4], &[true; 4]);
            for (id, exporters) in &news.exports {
                let all = view.exports.get_or_insert_with(id, Arc::default);
                Arc::make_mut(all).extend(Exporters::clone(exporters));
            }
            view.vips.extend(news.vips.iter().map(|(id, vip)| (id.clone(), *vip)));
            local.exports.extend(own.exports);
        }
        Happens::Gone(service) => {
            let service: ServiceId = SERVICES[*service].parse().unwrap();
            view.exports.remove(&service);
            local.exports.remove(&service);
        }
        Happens::Lease(index, alive) => {
            let mut cluster = world::cluster(&world::facts(CLUSTERS[*index]), u8::try_from(*index).unwrap());
            if !alive {
                cluster.lease = Lease::Expired { at: UnixMillis(5) };
            }
            view.clusters.insert(cluster.id.clone(), cluster);
        }
        Happens::Listen(given) => {
            let ports = plan(view, local, config).gateway.egress.into_keys();
            let ports = ports.zip(16_000..).map(|(id, port)| (id, NonZeroU16::new(port).unwrap()));
            config.listen_ports = given.then(|| Arc::new(ports.collect()));
        }
    }
}

proptest! {
    #[test]
    fn a_planner_with_a_memory_plans_what_one_without_plans(
        story in proptest::collection::vec(happens(), 1..16),
    ) {
        let (mut view, mut local) = (FederationView::default(), LocalView::default());
        let mut config = world::config("east");
        let mut planner = Planner::default();
        for what in &story {
            happen(what, &mut view, &mut local, &mut config);
            let desired = planner.plan(&view, &local, &config);
            prop_assert_eq!(&desired, &plan(&view, &local, &config));
            for (id, port) in &desired.gateway.egress {
                let given = config.listen_ports.as_ref().and_then(|ports| ports.get(id).copied());
                prop_assert_eq!(port.listen_port, given);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_catalogue_made_from_the_last_one_is_what_it_would_be_made_anew(
        story in proptest::collection::vec(happens(), 1..16),
    ) {
        let (mut view, mut local) = (FederationView::default(), LocalView::default());
        let mut config = world::config("east");
        let mut builder = CatalogueBuilder::default();
        for (what, revision) in story.iter().zip(1..) {
            happen(what, &mut view, &mut local, &mut config);
            view.revision = Revision(revision);
            let anew = CatalogueBuilder::default().build(&config.cluster, &view, &local, true);
            let again = builder.build(&config.cluster, &view, &local, true);
            prop_assert_eq!(&again, &anew);
            prop_assert!(Arc::ptr_eq(&again, &builder.build(&config.cluster, &view, &local, true)));
        }
    }
}

/// What happens to the cluster's own objects: to the service `demo/<index>`.
#[derive(Debug, Clone)]
enum Edited {
    Exported(usize, bool),
    Service(usize, Option<u16>),
    Slice(usize, Option<bool>),
    Namespace(bool),
}

fn edited() -> impl Strategy<Value = Edited> {
    prop_oneof![
        (0..3usize, any::<bool>()).prop_map(|(service, there)| Edited::Exported(service, there)),
        (0..3usize, proptest::option::of(0..3u16)).prop_map(|(service, port)| Edited::Service(service, port)),
        (0..3usize, proptest::option::of(any::<bool>()))
            .prop_map(|(service, ready)| Edited::Slice(service, ready)),
        prop::bool::weighted(0.8).prop_map(Edited::Namespace),
    ]
}

fn edit(objects: &mut LocalObjects, what: &Edited) {
    let id = |index: &usize| -> ServiceId { format!("demo/s{index}").parse().unwrap() };
    match what {
        Edited::Exported(index, true) => drop(objects.exports.insert(id(index), Arc::default())),
        Edited::Exported(index, false) => drop(objects.exports.remove(&id(index))),
        Edited::Service(index, Some(port)) => {
            let service = json!({"metadata": {}, "spec": {"ports": [{"port": port}]}});
            objects.services.insert(id(index), Arc::new(serde_json::from_value(service).unwrap()));
        }
        Edited::Service(index, None) => drop(objects.services.remove(&id(index))),
        Edited::Slice(index, Some(ready)) => {
            let endpoint = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}});
            let slice = json!({
                "metadata": {}, "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [endpoint],
            });
            let slices = Arc::make_mut(objects.slices.entry(id(index)).or_default());
            slices.insert("one".to_owned(), Arc::new(serde_json::from_value(slice).unwrap()));
        }
        Edited::Slice(index, None) => drop(objects.slices.remove(&id(index))),
        Edited::Namespace(true) => drop(objects.namespaces.insert("demo".parse().unwrap())),
        Edited::Namespace(false) => objects.namespaces.clear(),
    }
}

proptest! {
    #[test]
    fn a_deriver_with_a_memory_judges_as_one_without_judges(
        story in proptest::collection::vec(edited(), 1..24),
    ) {
        let facts = world::facts("east");
        let mut deriver = Deriver::new(facts.clone());
        let mut objects = LocalObjects::default();
        let mut before = LocalView::default();
        for what in &story {
            edit(&mut objects, what);
            let view = deriver.derive(&objects);
            prop_assert_eq!(&view, &derive(&objects, &facts));
            for (id, export) in &view.exports {
                let same = before.exports.get(id).filter(|before| *before == export);
                prop_assert!(same.is_none_or(|before| Arc::ptr_eq(before, export)), "{} is a copy", id);
            }
            before = view;
        }
    }
}
