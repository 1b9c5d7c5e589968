use std::sync::Arc;

use super::*;
use crate::export::{ExportKind, ExportScope, Locality, MtlsMode, ServicePort, SessionAffinity};
use crate::ids::{Generation, InstanceId};

const PORT: NonZeroU16 = NonZeroU16::new(80).unwrap();

fn service() -> ServiceId {
    "demo/echo".parse().unwrap()
}

/// What one cluster of a case is like.
struct Given {
    id: &'static str,
    region: Option<&'static str>,
    alive: bool,
    /// `None`: it does not export.
    ready: Option<u32>,
}

fn cluster(given: &Given) -> Cluster {
    let instance: InstanceId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    Cluster {
        id: given.id.parse().unwrap(),
        network: given.id.parse().unwrap(),
        region: given.region.map(|r| r.parse().unwrap()),
        zone: None,
        trust_domain: format!("{}.lab", given.id).parse().unwrap(),
        gateways: Vec::new(),
        lease: if given.alive {
            Lease::Held { instance, until: UnixMillis(10) }
        } else {
            Lease::Expired { at: UnixMillis(7) }
        },
    }
}

fn export(id: &str, ready: u32, ports: &[(Option<&str>, Protocol, u16)]) -> Export {
    let port = |&(name, protocol, port): &(Option<&str>, Protocol, u16)| ServicePort {
        name: name.map(|n| n.parse().unwrap()),
        protocol,
        app_protocol: None,
        port: NonZeroU16::new(port).unwrap(),
    };
    Export {
        cluster: id.parse().unwrap(),
        service: service(),
        first_seen: UnixMillis(1),
        generation: Generation(1),
        kind: ExportKind::ClusterSetIp,
        ports: ports.iter().map(port).collect(),
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: Default::default(),
        annotations: Default::default(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready, total: 5 }],
        endpoints: Vec::new(),
    }
}

fn view(given: &[Given]) -> FederationView {
    let mut view = FederationView::default();
    for given in given {
        let cluster = cluster(given);
        if let Some(ready) = given.ready {
            let export = export(given.id, ready, &[(Some("http"), Protocol::Tcp, 80)]);
            let exporters = view.exports.get_or_insert_with(&service(), Arc::default);
            Arc::make_mut(exporters).insert(cluster.id.clone(), Arc::new(export));
        }
        view.clusters.insert(cluster.id.clone(), cluster);
    }
    view
}

fn order(from: &str, view: &FederationView) -> Vec<(u8, String, String)> {
    let ranked = rank(&from.parse().unwrap(), view, &service(), PORT);
    ranked.into_iter().map(|r| (r.tier, r.cluster.to_string(), r.why.to_string())).collect()
}

fn line(tier: u8, cluster: &str, why: &str) -> (u8, String, String) {
    (tier, cluster.to_owned(), why.to_owned())
}

#[test]
fn the_tiers_come_in_order() {
    let view = view(&[
        Given { id: "east", region: Some("eu"), alive: true, ready: Some(2) },
        Given { id: "a-far", region: Some("us"), alive: true, ready: Some(3) },
        Given { id: "b-nowhere", region: None, alive: true, ready: Some(1) },
        Given { id: "near", region: Some("eu"), alive: true, ready: Some(1) },
        Given { id: "gone", region: Some("eu"), alive: false, ready: Some(4) },
        Given { id: "empty", region: Some("eu"), alive: true, ready: Some(0) },
        Given { id: "silent", region: Some("eu"), alive: true, ready: None },
    ]);
    assert_eq!(
        order("east", &view),
        [
            line(0, "east", "local, 2 ready"),
            line(1, "near", "same region eu, 1 ready"),
            line(2, "a-far", "region us, 3 ready"),
            line(2, "b-nowhere", "no region given, 1 ready"),
            line(3, "gone", "lease expired at 7, 4 ready when last heard of"),
            line(4, "empty", "none of 5 ready"),
        ]
    );
}

#[test]
fn tiers_have_no_gaps() {
    let view = view(&[
        Given { id: "east", region: Some("eu"), alive: true, ready: Some(0) },
        Given { id: "far", region: Some("us"), alive: true, ready: Some(3) },
        Given { id: "gone", region: Some("us"), alive: false, ready: Some(3) },
    ]);
    let tiers: Vec<_> = order("east", &view).into_iter().map(|(tier, cluster, _)| (tier, cluster)).collect();
    assert_eq!(tiers, [(0, "far".to_owned()), (1, "gone".to_owned()), (2, "east".to_owned())]);
}

#[test]
fn clusters_without_a_region_are_not_near_each_other() {
    let view = view(&[
        Given { id: "east", region: None, alive: true, ready: None },
        Given { id: "far", region: None, alive: true, ready: Some(3) },
    ]);
    assert_eq!(order("east", &view), [line(0, "far", "no region given, 3 ready")]);
}

#[test]
fn a_cluster_trusts_its_own_endpoints_without_a_lease() {
    let view = view(&[
        Given { id: "east", region: None, alive: false, ready: Some(1) },
        Given { id: "west", region: None, alive: true, ready: Some(3) },
    ]);
    let first = order("east", &view).into_iter().next();
    assert_eq!(first, Some(line(0, "east", "local, 1 ready")));
}

#[test]
fn an_exporter_whose_cluster_is_missing_comes_last() {
    let mut view = view(&[
        Given { id: "east", region: None, alive: true, ready: Some(0) },
        Given { id: "west", region: None, alive: true, ready: Some(3) },
    ]);
    view.clusters.remove(&"west".parse().unwrap());
    assert_eq!(
        order("east", &view),
        [line(0, "east", "none of 5 ready"), line(1, "west", "cluster not known here")]
    );
}

#[test]
fn who_does_not_serve_the_merged_port_is_left_out() {
    let mut view = view(&[
        Given { id: "east", region: None, alive: true, ready: Some(1) },
        Given { id: "south", region: None, alive: true, ready: Some(1) },
        Given { id: "west", region: None, alive: true, ready: Some(1) },
    ]);
    let exporters = Arc::make_mut(view.exports.get_mut(&service()).unwrap());
    // Of equal age `east` wins by name; the same number under another name is another port.
    exporters
        .insert("south".parse().unwrap(), Arc::new(export("south", 1, &[(Some("web"), Protocol::Tcp, 80)])));
    exporters
        .insert("west".parse().unwrap(), Arc::new(export("west", 1, &[(Some("other"), Protocol::Tcp, 81)])));
    assert_eq!(order("north", &view), [line(0, "east", "no region given, 1 ready")]);
    let absent = NonZeroU16::new(443).unwrap();
    assert_eq!(rank(&"north".parse().unwrap(), &view, &service(), absent), []);
    assert_eq!(rank(&"north".parse().unwrap(), &view, &"demo/none".parse().unwrap(), PORT), []);
}

#[test]
fn tcp_is_meant_where_udp_has_the_same_number() {
    let mut view = view(&[
        Given { id: "east", region: None, alive: true, ready: Some(1) },
        Given { id: "west", region: None, alive: true, ready: Some(1) },
    ]);
    let exporters = Arc::make_mut(view.exports.get_mut(&service()).unwrap());
    exporters
        .insert("east".parse().unwrap(), Arc::new(export("east", 1, &[(Some("dns"), Protocol::Udp, 80)])));
    exporters.insert(
        "west".parse().unwrap(),
        Arc::new(export("west", 1, &[(Some("dns-tcp"), Protocol::Tcp, 80)])),
    );
    assert_eq!(order("north", &view), [line(0, "west", "no region given, 1 ready")]);
}
