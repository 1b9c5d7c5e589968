//! Laws of the plan over random catalogues.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::local::{Backend, LocalExport, LocalView};
use crate::plan;
use federation_model::data_plane::Via;
use federation_model::export::{Locality, Protocol, ServicePort, SessionAffinity};
use federation_model::{
    ClusterId, Export, ExportKind, ExportScope, FederationView, Generation, Lease, MtlsMode, ServiceId,
    UnixMillis, VipRanges,
};
use proptest::prelude::*;

use super::world;

pub(super) const CLUSTERS: [&str; 4] = ["east", "north", "south", "west"];
pub(super) const SERVICES: [&str; 3] = ["demo/a", "demo/b", "other/a"];

/// What one cluster says of one service.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    cluster: usize,
    service: usize,
    headless: bool,
    end_to_end: bool,
    ports: Vec<(u16, bool)>,
    ready: u32,
    scope: Option<BTreeSet<usize>>,
    first_seen: u64,
    /// For the planning cluster's own: offered now, and known to the federation.
    offered: bool,
    accepted: bool,
}

pub(super) fn offer() -> impl Strategy<Value = Offer> {
    let shape = (0..4usize, 0..3usize, prop::bool::weighted(0.2), any::<bool>());
    let ports = proptest::collection::vec((80..84u16, prop::bool::weighted(0.8)), 1..4);
    let scope = proptest::option::of(proptest::collection::btree_set(0..4usize, 0..3));
    (shape, ports, 0..3u32, scope, 0..3u64, any::<bool>(), any::<bool>()).prop_map(
        |((cluster, service, headless, end_to_end), ports, ready, scope, first_seen, offered, accepted)| {
            Offer {
                cluster,
                service,
                headless,
                end_to_end,
                ports,
                ready,
                scope,
                first_seen,
                offered,
                accepted,
            }
        },
    )
}

fn export(offer: &Offer) -> Export {
    let mut seen = BTreeSet::new();
    let ports = offer.ports.iter().filter(|port| seen.insert(**port)).map(|(port, tcp)| ServicePort {
        name: Some(format!("p{port}{}", if *tcp { "t" } else { "u" }).parse().unwrap()),
        protocol: if *tcp { Protocol::Tcp } else { Protocol::Udp },
        app_protocol: None,
        port: (*port).try_into().unwrap(),
    });
    let cluster = |index: &usize| CLUSTERS[*index].parse::<ClusterId>().unwrap();
    Export {
        cluster: cluster(&offer.cluster),
        service: SERVICES[offer.service].parse().unwrap(),
        first_seen: UnixMillis(offer.first_seen),
        generation: Generation(1),
        kind: if offer.headless { ExportKind::Headless } else { ExportKind::ClusterSetIp },
        ports: ports.collect(),
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: [].into(),
        annotations: [].into(),
        scope: match &offer.scope {
            None => ExportScope::All,
            Some(named) => ExportScope::Clusters(named.iter().map(cluster).collect()),
        },
        mtls: if offer.end_to_end { MtlsMode::EndToEnd { identities: [].into() } } else { MtlsMode::Gateway },
        localities: vec![Locality { zone: None, ready: offer.ready, total: 2 }],
        endpoints: vec![],
    }
}

pub(super) fn world(offers: &[Offer], known: &[bool], alive: &[bool]) -> (FederationView, LocalView) {
    let mut view = FederationView::default();
    let mut local = LocalView::default();
    for (index, name) in CLUSTERS.iter().enumerate().filter(|(index, _)| known[*index]) {
        let mut cluster = world::cluster(&world::facts(name), u8::try_from(index).unwrap());
        if !alive[index] {
            cluster.lease = Lease::Expired { at: UnixMillis(5) };
        }
        view.clusters.insert(cluster.id.clone(), cluster);
    }
    for offer in offers {
        let export = export(offer);
        let own = offer.cluster == 0;
        if !own || offer.accepted {
            let exporters = view.exports.get_or_insert_with(&export.service, Arc::default);
            Arc::make_mut(exporters).insert(export.cluster.clone(), Arc::new(export.clone()));
        }
        if own && offer.offered {
            let backend = |(index, port): (u32, &ServicePort)| Backend {
                port: port.port,
                address: ([10, 0, 0, u8::try_from(index).unwrap()], port.port.get()).into(),
                ready: index < offer.ready,
                zone: None,
            };
            let tcp = export.ports.iter().filter(|p| p.protocol == Protocol::Tcp);
            let backends = tcp.flat_map(|port| (0..2).map(move |index| backend((index, port)))).collect();
            local
                .exports
                .insert(export.service.clone(), Arc::new(LocalExport { export: Arc::new(export), backends }));
        }
    }
    let services: Vec<ServiceId> = view.exports.keys().cloned().collect();
    for (index, id) in (0..).zip(services) {
        view.vips.insert(id, VipRanges::DEFAULT.nth(index).unwrap());
    }
    (view, local)
}

proptest! {
    #[test]
    fn what_a_plan_serves_is_exported_visible_and_reachable(
        offers in proptest::collection::vec(offer(), 0..10),
        known in proptest::collection::vec(prop::bool::weighted(0.8), 4),
        alive in proptest::collection::vec(prop::bool::weighted(0.8), 4),
    ) {
        let (view, local) = world(&offers, &known, &alive);
        let config = world::config("east");
        let me = &config.cluster;
        let desired = plan(&view, &local, &config);

        let counts = |service: &ServiceId, cluster: &ClusterId| -> Option<Export> {
            let export = view.exports.get(service)?.get(cluster)?;
            if cluster == me {
                return local.exports.get(service).map(|own| own.export.as_ref().clone());
            }
            export.visible_to(me).then(|| Export::clone(export))
        };
        for id in desired.dns.services.keys() {
            prop_assert!(view.exports[id].keys().any(|c| counts(id, c).is_some()), "{} is not exported", id);
        }
        for (id, route) in &desired.gateway.ingress {
            let own = counts(&id.service, me).unwrap();
            prop_assert!(own.reachable_from_outside());
            prop_assert_eq!(&route.scope, &own.scope);
            prop_assert!(own.ports.iter().any(|p| p.port == id.port && p.protocol == Protocol::Tcp));
        }
        for (id, outbound) in &desired.gateway.egress {
            prop_assert!(!outbound.vip.is_empty());
            for group in outbound.groups.iter() {
                prop_assert!(!group.targets.is_empty(), "empty group at {:?}", id);
                for target in &group.targets {
                    prop_assert!(target.weight > 0);
                    let export = counts(&id.service, &target.cluster).unwrap();
                    prop_assert_eq!(export.kind, ExportKind::ClusterSetIp);
                    prop_assert!(export.ports.iter().any(|p| p.port == id.port && p.protocol == Protocol::Tcp));
                    if &target.cluster == me {
                        let backends = &local.exports[&id.service].backends;
                        prop_assert!(backends.iter().any(|b| b.ready && b.address == target.address));
                    } else {
                        prop_assert!(export.ready() > 0);
                        let gateways = &view.clusters[&target.cluster].gateways;
                        prop_assert!(gateways.iter().any(|g| g.address == target.address));
                    }
                    match &target.via {
                        Via::Plain => prop_assert_eq!(&target.cluster, me),
                        Via::Mtls { sni, trust_domain, .. } => {
                            prop_assert_eq!(sni, &id.sni());
                            prop_assert_eq!(trust_domain.as_str(), format!("{}.lab", target.cluster));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_of_what_is_given_does_not_matter(
        offers in proptest::collection::vec(offer(), 0..8),
        alive in proptest::collection::vec(any::<bool>(), 4),
    ) {
        let (view, local) = world(&offers, &[true; 4], &alive);
        let config = world::config("east");
        let mut reversed_view = view.clone();
        for id in view.clusters.keys() {
            reversed_view.clusters.get_mut(id).unwrap().gateways.reverse();
        }
        let mut reversed_local = local.clone();
        for own in reversed_local.exports.values_mut() {
            Arc::make_mut(own).backends.reverse();
        }
        prop_assert_eq!(plan(&view, &local, &config), plan(&reversed_view, &reversed_local, &config));
    }
}
