//! A whole agent against a federation that lives in this process, over real TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed helper is a failed test")]

#[allow(dead_code, reason = "the tests of an agent on Kubernetes use the rest")]
mod app_support;
#[path = "../../../federation/client/tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;

use agent_agent::config::Config;
use app_support::Running;
use federation_kit::exit::Exit;
use federation_kit::testing::eventually;
use federation_model::{Export, Item, ServiceId, VipRanges};
use federation_trust::JoinTokenText;
use serde_json::Value;
use support::{FakeServer, Federation, LONG};
use tempfile::TempDir;

const ECHO: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: demo}
---
apiVersion: v1
kind: Service
metadata: {name: echo, namespace: demo}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-1, namespace: demo, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [127.0.0.1]}]
";
const EXPORT: &str = "
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: echo, namespace: demo}
";

fn setup(federation: &Federation) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("objects")).unwrap();
    let token = JoinTokenText::generate("east".parse().unwrap(), federation.authority.fingerprint());
    fs::write(root.path().join("token"), token.to_string()).unwrap();
    root
}

fn config(root: &Path, server: &FakeServer) -> Config {
    let text = format!(
        "
cluster = 'east'
clusterset = 'lab'
data_dir = '{root}/data'
vip_view = '127.241.0.0/16'
ip_families = ['IPv4']
join = {{ servers = ['{}'], token_file = '{root}/token' }}
source.files = '{root}/objects'
local.listen = 'unix:{root}/agent.sock'
dns.listen = '127.0.0.1:0'
http.listen = '127.0.0.1:0'
gateways = [{{ address = '127.0.0.1:15443' }}]
",
        server.address,
        root = root.display()
    );
    Config::parse(Path::new("agent.toml"), &text).unwrap()
}

fn echo() -> ServiceId {
    "demo/echo".parse().unwrap()
}

fn state_of_echo(page: &Value) -> Option<&str> {
    page["exports"].as_array()?.iter().find(|e| e["service"] == "demo/echo")?["state"].as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_published_kept_through_a_mistake_withdrawn_and_remembered_without_servers() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let root = setup(&federation);
    let file = root.path().join("objects/echo.yaml");
    fs::write(&file, format!("{ECHO}---{EXPORT}")).unwrap();
    let vip = VipRanges::DEFAULT.nth(4).unwrap();
    federation.catalogue.send_modify(|catalogue| {
        catalogue.put(Item::Vip(echo(), vip));
    });

    let agent = Running::start(config(root.path(), &server)).await.unwrap();
    let page = agent.until("committed", |page| state_of_echo(page) == Some("committed")).await;
    assert_eq!(page["source"]["ok"], true);
    let page = agent.until("imported", |page| page["imports"][0]["service"] == "demo/echo").await;
    assert_eq!(page["imports"][0]["vip"], "127.241.0.5");
    assert_eq!(page["imports"][0]["clusters"][0], "east");
    assert!(federation.heard(|heard| heard.published.contains(&"1 bundle".to_owned())));
    eventually(LONG, async || {
        federation.heard(|heard| heard.reported.iter().any(|(_, revision)| *revision > 0))
    })
    .await
    .unwrap();

    // A mistake keeps the last good state, and is told.
    fs::write(&file, format!("{ECHO}---{EXPORT}").replace("port: 80}", "port: 0}")).unwrap();
    let page = agent.until("the mistake", |page| page["source"]["ok"] == false).await;
    let problem = &page["source"]["problems"][0];
    assert_eq!((&problem["file"], &problem["line"]), (&"echo.yaml".into(), &9.into()));
    assert_eq!(problem["field"], "spec.ports[0].port");
    assert_eq!(state_of_echo(&page), Some("committed"));

    // The same identity and the same view after a restart, with no server anywhere.
    let instance = page["instance"].clone();
    fs::write(&file, format!("{ECHO}---{EXPORT}")).unwrap();
    agent.until("well again", |page| page["source"]["ok"] == true).await;
    agent.stop().await;
    let address = server.address.clone();
    drop(server);
    let gone = federation.start(2).await;
    let mut without = config(root.path(), &gone);
    without.servers.set(vec![address]).unwrap();
    without.token_file = None;
    let agent = Running::start(without).await.unwrap();
    let page = agent.status.render();
    assert_eq!(page["instance"], instance);
    assert_eq!(page["upstream"]["connected"], false);
    assert_eq!(page["imports"][0]["vip"], "127.241.0.5");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_taken_away_is_withdrawn() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let root = setup(&federation);
    fs::write(root.path().join("objects/echo.yaml"), ECHO).unwrap();
    fs::write(root.path().join("objects/export.yaml"), EXPORT).unwrap();
    let agent = Running::start(config(root.path(), &server)).await.unwrap();
    agent.until("committed", |page| state_of_echo(page) == Some("committed")).await;
    fs::remove_file(root.path().join("objects/export.yaml")).unwrap();
    agent.until("withdrawn", |page| state_of_echo(page).is_none()).await;
    let known = |federation: &Federation| {
        let catalogue = federation.catalogue.borrow();
        catalogue.items.values().any(|(_, item)| matches!(item, Item::Export(export) if is_echo(export)))
    };
    assert!(!known(&federation));
    agent.stop().await;
}

fn is_echo(export: &Export) -> bool {
    export.service == echo()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why() {
    let federation = Federation::new();
    let server = federation.start(1).await;
    let root = setup(&federation);
    let base = config(root.path(), &server);
    let refusal = async |config: Config| Running::start(config).await.map(|_| ()).unwrap_err();

    // Another cluster's token, no token, something that is no token, a token of another federation.
    let other = JoinTokenText::generate("west".parse().unwrap(), federation.authority.fingerprint());
    fs::write(root.path().join("other"), other.to_string()).unwrap();
    fs::write(root.path().join("none"), "isthmus1.east").unwrap();
    let cases = [
        (Some("other"), Exit::Usage, "holds a token for cluster west, and this is the agent of east"),
        (Some("none"), Exit::Usage, "does not hold a join token"),
        (None, Exit::Usage, "isthmus token create"),
    ];
    for (file, exit, message) in cases {
        let token_file = file.map(|name| root.path().join(name));
        let failure = refusal(Config { token_file, ..base.clone() }).await;
        assert_eq!(failure.exit(), exit, "{failure}");
        assert!(failure.to_string().contains(message), "{failure}");
    }

    // A used token.
    federation.rule(|rules| rules.token_used_by = Some(federation_model::token::KeyHash([7; 32])));
    let failure = refusal(base.clone()).await;
    assert_eq!(failure.exit(), Exit::Unavailable);
    assert!(failure.to_string().contains("the join token was already used"), "{failure}");
    federation.rule(|rules| rules.token_used_by = None);

    // A port in use, a directory in use, a directory of another cluster.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failure = refusal(Config { http: taken.local_addr().unwrap(), ..base.clone() }).await;
    assert_eq!(failure.exit(), Exit::Unavailable, "{failure}");
    let agent = Running::start(base.clone()).await.unwrap();
    let failure = refusal(base.clone()).await;
    assert_eq!(failure.exit(), Exit::Unavailable);
    assert!(failure.to_string().contains("is in use by another agent"), "{failure}");
    agent.stop().await;
    let failure = refusal(Config { cluster: "west".parse().unwrap(), ..base }).await;
    assert_eq!(failure.exit(), Exit::Io);
    assert!(failure.to_string().contains("belongs to cluster east of lab"), "{failure}");
}
