//! A whole agent whose cluster is one of Kubernetes, against a fake API server and a federation in this process. What a
//! real API server makes of it is told by the stories of `multi-cluster-e2e`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

mod app_support;
#[path = "../../kubernetes/tests/source/fake_api/mod.rs"]
#[allow(dead_code, reason = "the source's own tests use the rest")]
mod fake_api;
#[path = "../../../federation/client/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use agent_agent::app::Agent;
use agent_agent::config::Config;
use app_support::Running;
use fake_api::{FakeApi, SERVICES, SLICES, kubeconfig};
use federation_kit::daemon::Process;
use federation_kit::testing::eventually;
use federation_model::{Item, ServiceId, VipRanges};
use federation_trust::JoinTokenText;
use serde_json::{Value, json};
use support::{FakeServer, Federation, LONG};
use tempfile::TempDir;

fn config(root: &Path, server: &FakeServer) -> Config {
    let text = format!(
        "
cluster = 'east'
clusterset = 'lab'
data_dir = '{root}/data'
ip_families = ['IPv4']
join = {{ servers = ['{}'], token_file = '{root}/token' }}
source.kubernetes = {{ kubeconfig = '{root}/kubeconfig', write = false }}
control.listen = '127.0.0.1:0'
local.listen = 'unix:{root}/agent.sock'
dns.listen = '127.0.0.1:0'
http.listen = '127.0.0.1:0'
",
        server.address,
        root = root.display()
    );
    Config::parse(Path::new("agent.toml"), &text).unwrap()
}

fn token(root: &TempDir, federation: &Federation) {
    let token = JoinTokenText::generate("east".parse().unwrap(), federation.authority.fingerprint());
    fs::write(root.path().join("token"), token.to_string()).unwrap();
}

/// The gateways' Service, of type ClusterIP, and its endpoints.
fn gateways(api: &FakeApi, addresses: &[&str]) {
    let (namespace, name) = ("isthmus-system", "isthmus-gateway");
    api.put(
        SERVICES,
        json!({"metadata": {"namespace": namespace, "name": name},
               "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10",
                        "ports": [{"name": "mtls", "port": 15443, "protocol": "TCP"}]}}),
    );
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|address| json!({"addresses": [address], "conditions": {"ready": true}}))
        .collect();
    api.put(
        SLICES,
        json!({"metadata": {"namespace": namespace, "name": "isthmus-gateway-1",
                            "labels": {"kubernetes.io/service-name": name}},
               "addressType": "IPv4", "endpoints": endpoints,
               "ports": [{"name": "mtls", "port": 15443, "protocol": "TCP"}]}),
    );
}

fn state_of_echo(page: &Value) -> Option<&str> {
    page["exports"].as_array()?.iter().find(|e| e["service"] == "demo/echo")?["state"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_imported_and_listened_at_outlives_the_api_server_and_the_federation() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let root = tempfile::tempdir().unwrap();
    token(&root, &federation);
    let api = FakeApi::start().await;
    api.kubeconfig(root.path());
    api.export("echo");
    gateways(&api, &["10.0.1.5", "10.0.1.6"]);
    let echo: ServiceId = "demo/echo".parse().unwrap();
    let vip = VipRanges::DEFAULT.nth(4).unwrap();
    federation.catalogue.send_modify(|catalogue| {
        catalogue.put(Item::Vip(echo, vip));
    });

    let agent = Running::start(config(root.path(), &server)).await.unwrap();
    assert!(agent.addresses.control.is_some(), "gateways in pods are listened for");
    agent.until("committed", |page| state_of_echo(page) == Some("committed")).await;
    let external = json!(["10.0.1.5:15443", "10.0.1.6:15443"]);
    let page = agent.until("gateways", |page| page["kubernetes"]["gateways"]["external"] == external).await;
    assert_eq!(page["kubernetes"]["controller"], Value::Null, "write = false");
    // The fake takes no Secret: told, and the agent goes on.
    let told = page["kubernetes"]["papers"]["problem"].as_str();
    assert!(told.unwrap().contains("Secret isthmus-system/isthmus-agent"), "{page:#}");
    let page = agent.until("imported", |page| page["imports"][0]["vip"] == "240.240.0.5").await;
    let file = root.path().join("data/egress-ports.json");
    let ports = async || fs::read_to_string(&file).ok().filter(|text| text.contains("demo/echo:80"));
    let ports_before = eventually(LONG, ports).await.unwrap();

    let snapshot = root.path().join("data/objects.snapshot");
    let written = async || fs::read_to_string(&snapshot).ok().filter(|text| text.contains("demo/echo"));
    eventually(LONG, written).await.unwrap();
    agent.stop().await;

    // Nobody is there any more.
    let instance = page["instance"].clone();
    let address = server.address.clone();
    drop(server);
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    fs::write(root.path().join("kubeconfig"), kubeconfig(&format!("http://{gone}"))).unwrap();
    let other = federation.start(2).await;
    let without = config(root.path(), &other);
    without.servers.set(vec![address]).unwrap();
    let agent = Running::start(without).await.unwrap();
    let page = agent.status.render();
    assert_eq!(page["instance"], instance);
    assert_eq!(page["upstream"]["connected"], false);
    assert_eq!(page["imports"][0]["vip"], "240.240.0.5");
    assert_eq!(page["exports"][0]["service"], "demo/echo", "from the snapshot");
    assert_eq!(page["source"]["loaded"], true);
    assert_eq!(fs::read_to_string(&file).unwrap(), ports_before);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_in_a_pod_waits_for_its_token() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let root = tempfile::tempdir().unwrap();
    let api = FakeApi::start().await;
    api.kubeconfig(root.path());
    let (trigger, process) = Process::new("agent");
    let agent = Agent::bind(config(root.path(), &server), &process).await.unwrap();
    let status = agent.status();
    let told = async || {
        let page = status.render();
        page["upstream"]["problem"].as_str().filter(|problem| problem.starts_with("join token: ")).map(drop)
    };
    let help = async {
        eventually(LONG, told).await.unwrap();
        token(&root, &federation);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ran = agent.run(&process) => ran.unwrap(),
        () = help => {}
    }
    let tasks = process.tasks.clone();
    drop(process);
    trigger.drain(LONG).await;
    tasks.stop(LONG).await;
}
