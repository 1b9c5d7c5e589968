//! A catalogue with one of everything: a cluster that died, a service of two clusters that disagree, one that is
//! headless, one in scope of a single cluster, one with nothing ready, and a VIP that outlived its service.

#![allow(clippy::unwrap_used, reason = "test data that is right or the test is wrong")]

use std::collections::BTreeMap;
use std::sync::Arc;

use federation_cli::catalogue::Catalogue;
use federation_model::bundle::AuthorityDer;
use federation_model::export::{Locality, Protocol, SessionAffinity};
use federation_model::{
    Bundle, Cluster, ClusterId, Export, ExportKind, ExportScope, FederationView, Gateway, Generation, Item,
    Lease, MtlsMode, Revision, ServiceId, ServicePort, UnixMillis, VipRanges,
};

const NOW: u64 = 1_000_000_000;

/// `namespace/name`.
pub(crate) fn service(text: &str) -> ServiceId {
    text.parse().unwrap()
}

/// Everything.
pub(crate) fn catalogue() -> Catalogue {
    let mut view = FederationView { revision: Revision(120), ..FederationView::default() };
    for item in items() {
        view.upsert(item);
    }
    Catalogue { view, now: UnixMillis(NOW) }
}

/// What one cluster sees of it, by the model's own rule.
pub(crate) fn seen_by(cluster: &str) -> Catalogue {
    let cluster: ClusterId = cluster.parse().unwrap();
    let mut seen = catalogue();
    let all = std::mem::take(&mut seen.view.exports);
    for export in all.values().flat_map(|exporters| exporters.values()).filter(|e| e.visible_to(&cluster)) {
        seen.view.upsert(Item::Export(Arc::clone(export)));
    }
    let vips = std::mem::take(&mut seen.view.vips);
    let visible = vips.iter().filter(|(service, _)| seen.view.exports.contains_key(*service));
    seen.view.vips = visible.map(|(service, vip)| (service.clone(), *vip)).collect();
    seen
}

fn items() -> Vec<Item> {
    let held = Lease::Held { instance: "0".repeat(32).parse().unwrap(), until: UnixMillis(NOW + 7_500) };
    let expired = Lease::Expired { at: UnixMillis(NOW - 240_000) };
    let only_south = ExportScope::Clusters(["south".parse().unwrap()].into());
    let mut whoami_west = export("west", "demo/whoami", 2, 3);
    whoami_west.first_seen = UnixMillis(NOW - 86_400_000 * 3);
    whoami_west.labels = BTreeMap::from([("tier".to_owned(), "gold".to_owned())]);
    let mut peers = export("west", "demo/peers", 2, 2);
    peers.kind = ExportKind::Headless;
    let mut reports = export("west", "demo/reports", 1, 1);
    reports.scope = only_south;
    reports.mtls = MtlsMode::EndToEnd { identities: Default::default() };
    let exports = [
        export("east", "demo/whoami", 1, 1),
        whoami_west,
        export("south", "demo/whoami", 4, 4),
        peers,
        reports,
        export("west", "demo/asleep", 0, 2),
    ];
    let vip = |index, name: &str| Item::Vip(service(name), VipRanges::DEFAULT.nth(index).unwrap());
    let mut items = vec![
        cluster("east", held.clone(), "eu-1"),
        cluster("west", held, "us-1"),
        cluster("south", expired, "eu-1"),
        vip(0, "demo/whoami"),
        vip(1, "demo/peers"),
        vip(2, "demo/reports"),
        vip(3, "demo/asleep"),
        vip(4, "demo/forgotten"),
    ];
    for domain in ["east.lab", "west.lab", "south.lab"] {
        items.push(Item::Bundle(Bundle {
            trust_domain: domain.parse().unwrap(),
            authorities: vec![AuthorityDer(vec![0])],
            sequence: 1,
            refresh_hint: 60,
        }));
    }
    items.extend(exports.into_iter().map(|export| Item::Export(Arc::new(export))));
    items
}

fn cluster(id: &str, lease: Lease, region: &str) -> Item {
    let number = id.len();
    Item::Cluster(Cluster {
        id: id.parse().unwrap(),
        network: id.parse().unwrap(),
        region: Some(region.parse().unwrap()),
        zone: (id != "south").then(|| format!("{region}a").parse().unwrap()),
        trust_domain: format!("{id}.lab").parse().unwrap(),
        gateways: vec![Gateway {
            address: format!("192.0.2.{number}:15443").parse().unwrap(),
            zone: None,
            weight: 1,
        }],
        lease,
    })
}

fn export(cluster: &str, name: &str, ready: u32, total: u32) -> Export {
    Export {
        cluster: cluster.parse().unwrap(),
        service: service(name),
        first_seen: UnixMillis(NOW - 3_600_000),
        generation: Generation(1),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: Some("http".parse().unwrap()),
            protocol: Protocol::Tcp,
            app_protocol: Some("http".to_owned()),
            port: 8080.try_into().unwrap(),
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: Default::default(),
        traffic_distribution: None,
        ip_families: Default::default(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready, total }],
        endpoints: vec![],
    }
}
