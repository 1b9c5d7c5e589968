//! `EndToEnd` mode: the pod's own proxy ends the caller's mTLS, both gateways relay or begin it, and identity decides on
//! both sides. The proxies are real Envoys.

use std::net::SocketAddr;

use agent_agent::xds::bootstrap::Protocol;
use agent_agent::xds::{Inbound, NodeMeta};
use multi_cluster_e2e_lab::client::mtls::MtlsClient;
use multi_cluster_e2e_lab::envoy::{self, EnvoySpec};
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::launch::backend_process;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::render::manifests::{PodEntry, ServiceManifest};
use multi_cluster_e2e_lab::samples::{NAMESPACE, Offer};
use multi_cluster_e2e_lab::topology::{ClusterPlace, SERVICE_PORT};
use multi_cluster_e2e_lab::wait::{Seen, until};
use multi_cluster_e2e_scenarios::{PATIENCE, answered, lab_of};

/// The service account of the pods of these services.
const ACCOUNT: &str = "secure";

/// Starts a pod of `service` in west with an Envoy beside it, and exports it `EndToEnd` from where `account` must answer.
async fn export(lab: &Lab, number: u8, service: &str, account: &str, offer: Offer) -> anyhow::Result<()> {
    let west = lab.cluster("west")?;
    let pod = ClusterPlace::pod_address(west.octet, number);
    let mut ports = Ports::new(PortChoice::Random);
    let [backend, proxy, admin]: [SocketAddr; 3] =
        [ports.pick(pod, 0)?, ports.pick(pod, 0)?, ports.pick(pod, 0)?];
    let name = format!("west-{service}");
    backend_process(lab, &name, west, service, service, backend)?;
    let inbound = Inbound {
        service: service.parse()?,
        namespace: NAMESPACE.parse()?,
        port: SERVICE_PORT.try_into()?,
        listen: proxy,
        backend,
    };
    let meta = NodeMeta {
        namespace: Some(NAMESPACE.parse()?),
        service_account: Some(ACCOUNT.to_owned()),
        inbound: vec![inbound],
        ..NodeMeta::default()
    };
    envoy::run(
        lab,
        west,
        EnvoySpec { name: format!("{name}-proxy"), admin, meta, protocol: Protocol::Sotw },
    )?;

    let entry = PodEntry { name: service.to_owned(), address: proxy, ready: true };
    let mut manifest = ServiceManifest::exported(west, service, entry).offered(offer);
    let id = format!("spiffe://west.lab/ns/{NAMESPACE}/sa/{account}");
    manifest.annotations = vec![
        ("isthmus.dev/mtls".to_owned(), "EndToEnd".to_owned()),
        ("isthmus.dev/identities".to_owned(), id),
    ];
    lab.save_yaml("west", &manifest)
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_decides_on_both_sides() -> anyhow::Result<()> {
    let lab = lab_of(1, &["east", "west", "south"]).await?;
    export(&lab, 50, "secure", ACCOUNT, Offer::Everyone).await?;
    assert_eq!(answered(&lab, "east", "secure").await?, "west");

    // The pod is another than the export names: the caller's side does not believe it.
    export(&lab, 60, "swapped", "somebody-else", Offer::Everyone).await?;
    let east = lab.cluster("east")?;
    let resolves = || async {
        let answer = lab.dig("east", "swapped.demo.svc.clusterset.local", "A").await?;
        Ok(if answer.addresses().is_empty() { Seen::NotYet(answer.brief()) } else { Seen::Done(()) })
    };
    until("swapped to resolve in east", PATIENCE, resolves).await?;
    let unreachable = || async {
        let status =
            lab.observer().metric(east.gateway_http, "isthmus_gateway_refused_total", "unreachable").await?;
        let call = lab.curl("east", "http://swapped.demo.svc.clusterset.local:8080/").await;
        anyhow::ensure!(call.is_err(), "a pod with another identity was believed: {call:?}");
        Ok(if status > 0.0 { Seen::Done(()) } else { Seen::NotYet(status.to_string()) })
    };
    until("the gateway of east to refuse the pod", PATIENCE, unreachable).await?;

    // For south only: the gateway of west relays without seeing who calls, and the pod's proxy refuses east.
    export(&lab, 70, "southern", ACCOUNT, Offer::Only("south".parse()?)).await?;
    assert_eq!(answered(&lab, "south", "southern").await?, "west");
    let hidden = lab.dig("east", "southern.demo.svc.clusterset.local", "A").await?;
    assert!(hidden.is_nxdomain(), "{}", hidden.brief());
    let gateway = lab.cluster("west")?.gateway;
    let sni = format!("outbound_.{SERVICE_PORT}_._.southern.{NAMESPACE}.svc.clusterset.local");
    let south = MtlsClient::as_gateway(&lab.cluster("south")?.agent_socket).await?;
    let let_in = south.call(gateway, &sni).await?;
    assert!(let_in.answer.as_ref().is_ok_and(|text| text.starts_with("HTTP/1.1 200")), "{:?}", let_in.answer);
    let eastern = MtlsClient::as_gateway(&east.agent_socket).await?;
    let refused = eastern.call(gateway, &sni).await?;
    assert!(refused.answer.is_err(), "{:?}", refused.answer);
    lab.down().await
}
