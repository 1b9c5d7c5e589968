use std::num::NonZeroU16;

use super::*;
use crate::cluster::Lease;
use crate::export::{ExportKind, ExportScope, MtlsMode, Protocol, ServicePort, SessionAffinity};
use crate::ids::{Generation, UnixMillis};
use crate::vip::VipRanges;

fn service() -> ServiceId {
    "demo/echo".parse().unwrap()
}

fn cluster(name: &str) -> ClusterId {
    name.parse().unwrap()
}

fn export(exporter: &str) -> Export {
    Export {
        cluster: cluster(exporter),
        service: service(),
        first_seen: UnixMillis(1),
        generation: Generation(1),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: None,
            protocol: Protocol::Tcp,
            app_protocol: None,
            port: NonZeroU16::new(80).unwrap(),
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: Vec::new(),
        endpoints: Vec::new(),
    }
}

fn items() -> Vec<Item> {
    let trust_domain: TrustDomain = "east.lab".parse().unwrap();
    let authorities = Vec::new();
    vec![
        Item::Cluster(Cluster {
            id: cluster("east"),
            network: "east".parse().unwrap(),
            region: None,
            zone: None,
            trust_domain: trust_domain.clone(),
            gateways: Vec::new(),
            lease: Lease::Expired { at: UnixMillis(1) },
        }),
        Item::Bundle(Bundle { trust_domain, authorities, sequence: 1, refresh_hint: 60 }),
        Item::Vip(service(), VipRanges::DEFAULT.nth(0).unwrap()),
        Item::Export(Arc::new(export("east"))),
        Item::Export(Arc::new(export("west"))),
    ]
}

fn full() -> FederationView {
    let mut view = FederationView::default();
    items().into_iter().for_each(|item| view.upsert(item));
    view
}

#[test]
fn what_was_put_in_can_be_taken_out_in_any_order() {
    for forwards in [true, false] {
        let mut view = full();
        let mut keys: Vec<ItemKey> = items().iter().map(Item::key).collect();
        if !forwards {
            keys.reverse();
        }
        for key in &keys {
            assert_ne!(view, FederationView::default());
            view.remove(key);
            // A watch may say so twice.
            view.remove(key);
        }
        assert_eq!(view, FederationView::default());
    }
}

#[test]
fn the_same_piece_again_replaces() {
    let mut view = full();
    view.upsert(Item::Export(Arc::new(Export { generation: Generation(2), ..export("east") })));
    let exporters = view.exports.get(&service()).unwrap();
    assert_eq!(exporters.len(), 2);
    assert_eq!(exporters.get(&cluster("east")).unwrap().generation, Generation(2));
}

#[test]
fn a_view_survives_being_written() {
    let written = serde_json::to_string(&full()).unwrap();
    assert_eq!(serde_json::from_str::<FederationView>(&written).unwrap(), full());
}
