use std::net::SocketAddr;
use std::path::PathBuf;

use super::manifests::{ServiceManifest, sample_files};
use crate::layout::{Keep, Layout};
use crate::plan::{LabSpec, plan};
use crate::ports::PortChoice;
use crate::samples::Offer;
use crate::topology::Topology;

fn three_clusters() -> (tempfile::TempDir, Layout, Topology) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path(), Keep::Yes).unwrap();
    let spec = LabSpec { ports: PortChoice::Random, ..LabSpec::default() };
    let (topology, _blocks) = plan(&spec, &layout, None).unwrap();
    (dir, layout, topology)
}

#[test]
fn every_config_is_toml_with_the_keys_that_the_daemons_read() {
    let (_dir, layout, topology) = three_clusters();
    let server: toml::Value =
        toml::from_str(&super::server::server_toml(&layout, &topology, &topology.servers[1]).unwrap())
            .unwrap();
    assert_eq!(server["id"].as_integer(), Some(2));
    assert_eq!(server["members"].as_array().unwrap().len(), 3);
    assert_eq!(server["vips"]["v4"].as_str(), Some("127.240.0.0/16"));

    let upstream: SocketAddr = "192.0.2.1:53".parse().unwrap();
    let agent: toml::Value = toml::from_str(
        &super::agent::agent_toml(&layout, &topology, &topology.clusters[0], vec![upstream]).unwrap(),
    )
    .unwrap();
    assert_eq!(agent["cluster"].as_str(), Some("east"));
    assert_eq!(agent["dns"]["upstream"][0].as_str(), Some("192.0.2.1:53"));
    assert!(agent["local"]["listen"].as_str().unwrap().starts_with("unix:/"));
    assert_eq!(agent["gateways"][0]["address"].as_str().unwrap(), topology.clusters[0].gateway.to_string());

    let gateway: toml::Value =
        toml::from_str(&super::gateway::gateway_toml(&layout, &topology.clusters[0]).unwrap()).unwrap();
    assert_eq!(gateway["agent"], agent["local"]["listen"]);
}

#[test]
fn the_samples_make_the_tour_possible() {
    let (_dir, _layout, topology) = three_clusters();
    let ids: Vec<_> = topology.clusters.iter().map(|c| c.id.clone()).collect();
    let files = |index: usize| sample_files(&topology.clusters[index], index, &ids);
    let names = |index: usize| files(index).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(0), ["namespace.yaml", "whoami.yaml"]);
    assert_eq!(
        names(1),
        ["namespace.yaml", "echo.yaml", "whoami.yaml", "private.yaml", "peers.yaml", "reports.yaml"]
    );
    let text = |index: usize, file: &str| files(index).into_iter().find(|(name, _)| name == file).unwrap().1;
    assert!(text(1, "echo.yaml").contains("kind: ServiceExport"));
    assert!(!text(1, "private.yaml").contains("kind: ServiceExport"));
    assert!(text(1, "peers.yaml").contains("clusterIP: None"));
    assert!(text(1, "reports.yaml").contains("isthmus.dev/scope: \"south\""));
}

#[test]
fn readiness_and_offer_are_what_the_yaml_says() {
    let (_dir, _layout, topology) = three_clusters();
    let west = &topology.clusters[1];
    let pod = super::manifests::PodEntry {
        name: "late-1".to_owned(),
        address: "127.0.0.1:9".parse().unwrap(),
        ready: true,
    };
    let ready = ServiceManifest::exported(west, "late", pod);
    assert!(ready.to_yaml().contains("ready: true"));
    let hidden = ready.clone().not_ready().offered(Offer::Private).to_yaml();
    assert!(hidden.contains("ready: false") && !hidden.contains("ServiceExport"));
    assert_eq!(PathBuf::from(ready.file_name()).extension().unwrap(), "yaml");
}
