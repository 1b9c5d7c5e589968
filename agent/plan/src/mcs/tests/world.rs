//! A federation and an API server from YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation_model::data_plane::ServicePortId;
use federation_model::export::{InternalTrafficPolicy, Locality, Protocol, SessionAffinity};
use federation_model::{
    Cluster, ClusterId, Endpoint, Export, ExportKind, ExportScope, FederationView, Generation, IpFamily,
    Lease, MtlsMode, Revision, ServiceId, ServicePort, UnixMillis, VipRanges, Zone,
};
use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use crate::local::{InvalidExport, LocalExport, LocalView};
use crate::mcs::input::Offer;
use crate::mcs::{CatalogueBuilder, Input};
use crate::{EgressPorts, PlanConfig, PortRange, VipView};

/// The document `kind: Federation`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Federation {
    #[allow(dead_code, reason = "it tells the documents apart")]
    pub(crate) kind: String,
    /// No catalogue was ever seen.
    pub(crate) unknown: bool,
    /// No server has vouched for it since the start.
    pub(crate) remembered: bool,
    /// This cluster was never registered, or has left.
    pub(crate) not_a_member: bool,
    /// IPv4 alone where there are none.
    pub(crate) families: Vec<IpFamily>,
    /// 10.9.0.1 where there are none.
    pub(crate) gateways: Option<BTreeSet<IpAddr>>,
    pub(crate) expired: BTreeSet<ClusterId>,
    pub(crate) exports: Vec<Offered>,
    /// Services that have no VIP yet.
    pub(crate) without_vip: BTreeSet<ServiceId>,
    /// What is wrong with invalid exports: `NoService`, `InvalidServiceType`, or `field: problem`.
    pub(crate) invalid: BTreeMap<ServiceId, String>,
    /// `pending`, `committed`, or why it was refused.
    pub(crate) offers: BTreeMap<ServiceId, String>,
}

/// One export.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Offered {
    pub(crate) cluster: ClusterId,
    pub(crate) service: ServiceId,
    #[serde(default)]
    pub(crate) age: u64,
    #[serde(default)]
    pub(crate) headless: bool,
    /// `http:80/TCP`, or `:80/TCP` without a name.
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    #[serde(default)]
    pub(crate) not_ready: bool,
    #[serde(default)]
    pub(crate) affinity: Option<u32>,
    #[serde(default)]
    pub(crate) local: bool,
    #[serde(default)]
    pub(crate) distribution: Option<String>,
    #[serde(default)]
    pub(crate) families: BTreeSet<IpFamily>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) scope: Option<BTreeSet<ClusterId>>,
    #[serde(default)]
    pub(crate) endpoints: Vec<Served>,
    /// For this cluster's own: the federation has not got it yet.
    #[serde(default)]
    pub(crate) not_sent: bool,
    /// For this cluster's own: not offered any more.
    #[serde(default)]
    pub(crate) withdrawn: bool,
}

/// One endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Served {
    pub(crate) address: IpAddr,
    #[serde(default)]
    pub(crate) hostname: Option<String>,
    #[serde(default)]
    pub(crate) zone: Option<Zone>,
    #[serde(default)]
    pub(crate) not_ready: bool,
}

/// The cluster that everything is seen from.
pub(crate) const HERE: &str = "east";

/// What is known, and the API server: `kind: Federation`, then objects.
pub(crate) fn world(yaml: &str) -> (Input, Api) {
    let mut api = Api::new();
    let mut federation = Federation::default();
    for document in serde_saphyr::from_multiple::<Value>(yaml).unwrap() {
        match document["kind"].as_str().unwrap() {
            "Federation" => federation = serde_json::from_value(document).unwrap(),
            _ => api.put(document),
        }
    }
    (input(&federation), api)
}

/// The catalogue as the federation and this cluster tell it.
pub(crate) fn views(federation: &Federation) -> (FederationView, LocalView) {
    let here: ClusterId = HERE.parse().unwrap();
    let mut view = FederationView { revision: Revision(7), ..FederationView::default() };
    let mut local = LocalView::default();
    let everyone = federation.exports.iter().map(|offered| offered.cluster.clone());
    for id in everyone.chain([here.clone()]).chain(federation.expired.iter().cloned()) {
        let expired = federation.expired.contains(&id);
        view.clusters.insert(id.clone(), cluster(id, expired));
    }
    for offered in &federation.exports {
        let export = export(offered);
        if offered.cluster == here && !offered.withdrawn {
            let own = LocalExport { export: Arc::new(export.clone()), backends: vec![] };
            local.exports.insert(offered.service.clone(), Arc::new(own));
        }
        if !offered.not_sent {
            let exporters = view.exports.get_or_insert_with(&offered.service, Arc::default);
            Arc::make_mut(exporters).insert(offered.cluster.clone(), Arc::new(export));
        }
    }
    local.invalid = federation.invalid.iter().map(|(id, wrong)| (id.clone(), invalid(wrong))).collect();
    let with_vip = view.exports.keys().filter(|id| !federation.without_vip.contains(*id)).cloned();
    view.vips = with_vip.zip(0..).map(|(id, index)| (id, VipRanges::DEFAULT.nth(index).unwrap())).collect();
    if federation.not_a_member {
        view.clusters.remove(&here);
    }
    (view, local)
}

pub(crate) fn input(federation: &Federation) -> Input {
    let here: ClusterId = HERE.parse().unwrap();
    let (mut view, local) = views(federation);
    let all = view.exports.values().flat_map(|exporters| exporters.values());
    let mut ports = EgressPorts::new(PortRange::default());
    ports.assign(all.flat_map(|export| {
        let tcp = export.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
        tcp.map(|port| ServicePortId { service: export.service.clone(), port: port.port })
    }));
    if federation.unknown {
        view = FederationView::default();
    }
    let families = match federation.families.as_slice() {
        [] => vec![IpFamily::IPv4],
        given => given.to_vec(),
    };
    Input {
        plan: Arc::new(PlanConfig {
            trust_domain: "east.example".parse().unwrap(),
            cluster: here.clone(),
            bundle: None,
            vip_view: VipView::as_given(),
            listen_ports: None,
        }),
        clusterset: "example".parse().unwrap(),
        families,
        catalogue: CatalogueBuilder::default().build(&here, &view, &local, !federation.remembered),
        offers: Arc::new(federation.offers.iter().map(|(id, how)| (id.clone(), offer(how))).collect()),
        gateways: federation.gateways.clone().unwrap_or_else(|| ["10.9.0.1".parse().unwrap()].into()),
        listen_ports: ports.ports(),
    }
}

fn offer(how: &str) -> Offer {
    match how {
        "pending" => Offer::Pending,
        "committed" => Offer::Committed,
        why => Offer::Refused(why.to_owned()),
    }
}

fn invalid(wrong: &str) -> InvalidExport {
    match wrong.split_once(": ") {
        Some((field, problem)) => {
            InvalidExport::Field { field: field.to_owned(), problem: problem.to_owned() }
        }
        None if wrong == "NoService" => InvalidExport::NoService,
        None => InvalidExport::InvalidServiceType,
    }
}

fn cluster(id: ClusterId, expired: bool) -> Cluster {
    let held = Lease::Held { instance: "0".repeat(32).parse().unwrap(), until: UnixMillis(10_000) };
    Cluster {
        network: id.as_str().parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: format!("{id}.example").parse().unwrap(),
        gateways: vec![],
        lease: if expired { Lease::Expired { at: UnixMillis(1) } } else { held },
        id,
    }
}

fn export(offered: &Offered) -> Export {
    let ready = u32::from(!offered.not_ready);
    Export {
        cluster: offered.cluster.clone(),
        service: offered.service.clone(),
        first_seen: UnixMillis(offered.age),
        generation: Generation(1),
        kind: if offered.headless { ExportKind::Headless } else { ExportKind::ClusterSetIp },
        ports: offered.ports.iter().map(|text| port(text)).collect(),
        session_affinity: match offered.affinity {
            None => SessionAffinity::None,
            Some(timeout_seconds) => SessionAffinity::ClientIp { timeout_seconds },
        },
        internal_traffic_policy: match offered.local {
            false => InternalTrafficPolicy::Cluster,
            true => InternalTrafficPolicy::Local,
        },
        traffic_distribution: offered.distribution.clone(),
        ip_families: offered.families.clone(),
        labels: offered.labels.clone(),
        annotations: offered.annotations.clone(),
        scope: offered.scope.clone().map_or(ExportScope::All, ExportScope::Clusters),
        mtls: MtlsMode::Gateway,
        localities: vec![Locality { zone: None, ready, total: 1 }],
        endpoints: offered.endpoints.iter().map(endpoint).collect(),
    }
}

fn endpoint(served: &Served) -> Endpoint {
    Endpoint {
        address: served.address,
        hostname: served.hostname.as_ref().map(|name| name.parse().unwrap()),
        zone: served.zone.clone(),
        ready: !served.not_ready,
    }
}

fn port(text: &str) -> ServicePort {
    let (name, rest) = text.split_once(':').unwrap();
    let (number, protocol) = rest.split_once('/').unwrap();
    ServicePort {
        name: (!name.is_empty()).then(|| name.parse().unwrap()),
        protocol: if protocol == "TCP" { Protocol::Tcp } else { Protocol::Udp },
        app_protocol: None,
        port: number.parse().unwrap(),
    }
}
