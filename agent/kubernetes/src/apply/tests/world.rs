//! What the controller is told in tests: services that cluster `west` exports and `east`, where it runs, imports.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_plan::mcs::{CatalogueBuilder, Input};
use agent_plan::{EgressPorts, LocalView, PlanConfig, PortRange, VipView};
use federation_model::data_plane::ServicePortId;
use federation_model::export::{InternalTrafficPolicy, Locality, Protocol, SessionAffinity};
use federation_model::{
    Cluster, ClusterId, Export, ExportKind, ExportScope, FederationView, Generation, IpFamily, Lease,
    MtlsMode, Revision, ServiceId, ServicePort, UnixMillis, VipRanges,
};

/// `services` services `demo/s0`, `demo/s1` and so on, on this port.
pub(crate) fn input(services: usize, port: u16) -> Input {
    let mut view = FederationView { revision: Revision(1), ..FederationView::default() };
    let mut egress = EgressPorts::new(PortRange::default());
    let mut ports = Vec::new();
    for cluster in ["east", "west"] {
        let cluster = member(cluster);
        view.clusters.insert(cluster.id.clone(), cluster);
    }
    for index in 0..services {
        let service: ServiceId = format!("demo/s{index}").parse().unwrap();
        let export = export(&service, port);
        ports.push(ServicePortId { service: service.clone(), port: port.try_into().unwrap() });
        view.vips.insert(service.clone(), VipRanges::DEFAULT.nth(u32::try_from(index).unwrap()).unwrap());
        view.exports.insert(service, Arc::new(BTreeMap::from([(export.cluster.clone(), Arc::new(export))])));
    }
    egress.assign(ports);
    Input {
        plan: Arc::new(PlanConfig {
            cluster: "east".parse().unwrap(),
            trust_domain: "east.example".parse().unwrap(),
            bundle: None,
            vip_view: VipView::as_given(),
            listen_ports: None,
        }),
        clusterset: "example".parse().unwrap(),
        families: vec![IpFamily::IPv4],
        catalogue: CatalogueBuilder::default().build(
            &"east".parse().unwrap(),
            &view,
            &LocalView::default(),
            true,
        ),
        offers: Arc::default(),
        gateways: ["10.9.0.1".parse().unwrap()].into(),
        listen_ports: egress.ports(),
    }
}

fn export(service: &ServiceId, port: u16) -> Export {
    Export {
        cluster: "west".parse().unwrap(),
        service: service.clone(),
        first_seen: UnixMillis(1),
        generation: Generation(1),
        kind: ExportKind::ClusterSetIp,
        ports: vec![ServicePort {
            name: Some("http".parse().unwrap()),
            protocol: Protocol::Tcp,
            app_protocol: None,
            port: port.try_into().unwrap(),
        }],
        session_affinity: SessionAffinity::None,
        internal_traffic_policy: InternalTrafficPolicy::Cluster,
        traffic_distribution: None,
        ip_families: [IpFamily::IPv4].into(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        scope: ExportScope::All,
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready: 1, total: 1 }],
        endpoints: Vec::new(),
    }
}

fn member(id: &str) -> Cluster {
    let id: ClusterId = id.parse().unwrap();
    Cluster {
        network: id.as_str().parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: format!("{id}.example").parse().unwrap(),
        gateways: vec![],
        lease: Lease::Held { instance: "0".repeat(32).parse().unwrap(), until: UnixMillis(10_000) },
        id,
    }
}
