//! What the federation is told of the gateways, and when the controller is told anything.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::path::Path;

use agent_kubernetes::source::LocalGateways;
use agent_plan::mcs::{CatalogueBuilder, Input, Known, Observed};
use agent_plan::{ClusterFacts, EgressPorts, PortRange, VipView};
use federation_model::cluster::Lease;
use federation_model::data_plane::ServicePortId;
use federation_model::{Cluster, IpFamily, UnixMillis};
use prometheus_client::registry::Registry;

use super::*;
use crate::local::cluster_metrics::ClusterMetrics;

struct World {
    side: ClusterSide,
    gateways: watch::Sender<Arc<LocalGateways>>,
    observed: watch::Sender<Arc<Observed>>,
    input: watch::Receiver<Arc<Input>>,
    plan: Arc<PlanConfig>,
}

fn world() -> World {
    let (gateways, gateways_seen) = watch::channel(Arc::default());
    let (observed, observed_seen) = watch::channel(Arc::default());
    let plan = Arc::new(PlanConfig {
        cluster: "east".parse().unwrap(),
        trust_domain: "east.lab".parse().unwrap(),
        bundle: None,
        vip_view: VipView::as_given(),
        listen_ports: Some(Arc::default()),
    });
    let (input, input_seen) = watch::channel(Arc::new(Input {
        plan: Arc::clone(&plan),
        clusterset: "lab".parse().unwrap(),
        families: vec![IpFamily::IPv4],
        catalogue: Arc::default(),
        offers: Arc::default(),
        gateways: BTreeSet::new(),
        listen_ports: Arc::default(),
    }));
    let side = ClusterSide {
        clusterset: "lab".parse().unwrap(),
        families: vec![IpFamily::IPv4],
        gateways: gateways_seen,
        observed: observed_seen,
        offers: watch::channel(Arc::default()).1,
        confirmed: watch::channel(true).1,
        ports: EgressPorts::new(PortRange::default()),
        ports_known: false,
        saved: None,
        gateways_known: false,
        complete: false,
        catalogues: CatalogueBuilder::default(),
        told: Told { input, ports: watch::Sender::new(None), problem: watch::Sender::new(None) },
        metrics: ClusterMetrics::register(&mut Registry::default()),
    };
    World { side, gateways, observed, input: input_seen, plan }
}

fn config(more: &str) -> Config {
    let text = format!(
        "cluster = 'east'\nclusterset = 'lab'\ndata_dir = 'd'\njoin.servers = ['127.0.0.1:1']\n{more}\n[source.kubernetes]\n"
    );
    Config::parse(Path::new("agent.toml"), &text).unwrap()
}

fn gateway(address: &str) -> Gateway {
    Gateway { address: address.parse().unwrap(), zone: None, weight: 1 }
}

fn seen(external: &[&str]) -> Arc<LocalGateways> {
    let external: Vec<Gateway> = external.iter().map(|address| gateway(address)).collect();
    let ready = external.iter().map(|gateway| gateway.address.ip()).collect();
    Arc::new(LocalGateways { ready, external, problem: None })
}

/// A view in which this cluster has gateways of an earlier life.
fn view_with(address: &str) -> FederationView {
    let cluster = Cluster {
        id: "east".parse().unwrap(),
        network: "east".parse().unwrap(),
        region: None,
        zone: None,
        trust_domain: "east.lab".parse().unwrap(),
        gateways: vec![gateway(address)],
        lease: Lease::Expired { at: UnixMillis(1) },
    };
    let mut view = FederationView::default();
    view.clusters.insert(cluster.id.clone(), cluster);
    view
}

#[test]
fn gateways_are_not_forgotten_by_a_restart_and_are_once_they_are_known_to_be_gone() {
    let mut world = world();
    let view = view_with("192.0.2.9:15443");
    let config = config("");
    let told = |world: &mut World| gateways(&config, Some(&mut world.side), &view);
    assert_eq!(told(&mut world), [gateway("192.0.2.9:15443")], "nothing seen yet");
    world.gateways.send_replace(seen(&["192.0.2.1:15443"]));
    assert_eq!(told(&mut world), [gateway("192.0.2.1:15443")]);
    world.gateways.send_replace(seen(&[]));
    assert_eq!(told(&mut world), []);
}

#[test]
fn gateways_of_the_configuration_count_more_than_those_of_the_service() {
    let mut world = world();
    world.gateways.send_replace(seen(&["192.0.2.1:15443"]));
    let config = config("gateways = [{ address = '198.51.100.7:15443' }]");
    let told = gateways(&config, Some(&mut world.side), &FederationView::default());
    assert_eq!(told, [gateway("198.51.100.7:15443")]);
}

#[test]
fn the_controller_hears_nothing_before_everything_was_seen_and_then_only_news() {
    let World { mut side, gateways, observed, mut input, plan } = world();
    let view = Arc::new(FederationView { revision: Revision(7), ..FederationView::default() });
    let local = Arc::new(LocalView::default());
    side.tell_controller(&plan, &view, &local, true);
    assert!(!input.has_changed().unwrap(), "no gateway is ready because none was seen yet");
    gateways.send_replace(seen(&["192.0.2.1:15443"]));
    observed.send_replace(Arc::new(Observed { complete: true, ..Observed::default() }));
    side.tell_controller(&plan, &view, &local, true);
    assert!(input.has_changed().unwrap());
    assert_eq!(input.borrow_and_update().gateways.len(), 1);
    side.tell_controller(&plan, &view, &local, true);
    assert!(!input.has_changed().unwrap());
}

#[test]
fn the_controller_hears_whether_a_view_is_only_remembered() {
    let World { mut side, observed, mut input, plan, .. } = world();
    let view = FederationView { revision: Revision(7), ..FederationView::default() };
    observed.send_replace(Arc::new(Observed { complete: true, ..Observed::default() }));
    for (confirmed, known) in [(false, Known::Remembered), (true, Known::Confirmed)] {
        side.tell_controller(&plan, &view, &LocalView::default(), confirmed);
        assert_eq!(input.borrow_and_update().catalogue.known, known);
    }
}

#[tokio::test]
async fn without_a_file_the_first_plan_waits_until_everything_was_seen() {
    let (_trigger, drain) = federation_kit::drain::channel();
    let mut world = world();
    assert!(futures::poll!(std::pin::pin!(world.side.adopt_ports(&drain))).is_pending());
    world.observed.send_replace(Arc::new(Observed { complete: true, ..Observed::default() }));
    world.side.adopt_ports(&drain).await;
    let port = "demo/echo:80".parse().unwrap();
    let ports = world.side.assign_ports(std::iter::once(&port));
    assert!(ports.contains_key(&port));
    let again = world.side.assign_ports(std::iter::once(&port));
    assert!(Arc::ptr_eq(&ports, &again), "nothing moves");
}

#[test]
fn ports_that_were_taken_over_are_planned_with_and_saved_although_none_is_new() {
    let mut world = world();
    let port: ServicePortId = "demo/echo:80".parse().unwrap();
    world.side.ports.adopt([(port.clone(), NonZeroU16::new(16_870).unwrap())]);
    let mut saved = world.side.told.ports.subscribe();
    let ports = world.side.assign_ports(std::iter::once(&port));
    assert_eq!(ports.get(&port).unwrap().get(), 16_870);
    assert!(saved.has_changed().unwrap());
    assert!(saved.borrow_and_update().is_some());
    world.side.assign_ports(std::iter::once(&port));
    assert!(!saved.has_changed().unwrap(), "once");
}

#[test]
fn what_did_not_change_is_not_derived_again() {
    let facts = ClusterFacts {
        cluster: "east".parse().unwrap(),
        trust_domain: "east.lab".parse().unwrap(),
        zone: None,
    };
    let mut offering = Offering::new(Deriver::new(facts));
    let source = Arc::new(SourceState { loaded: true, ..SourceState::default() });
    let first = offering.of(&source);
    let again = offering.of(&Arc::new(SourceState { loaded: true, ..SourceState::default() }));
    assert!(Arc::ptr_eq(&first, &again));
}
