//! A gateway in a pod: its agent is reached over TLS and shown a token, and both sides' files are replaced while it runs.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use east_west_gateway_gateway::config::Config;
use federation_kit::grpc::LocalAddr;
use federation_kit::testing::eventually;
use federation_model::data_plane::GatewayConfig;
use federation_trust::{Authority, Identity};
use tokio::sync::watch;

use crate::backends;
use crate::clients::{Caller, ask};
use crate::fake_agent::FakeAgent;
use crate::world::{DEADLINE, Pki, Running, authority, configured, issue, port, route};

const AGENT: &str = "spiffe://west.lab/isthmus/agent";

/// The files of a pod.
struct Pod {
    pki: Pki,
    config: GatewayConfig,
    directory: tempfile::TempDir,
    token: watch::Sender<String>,
    _backend: backends::Backend,
}

impl Pod {
    /// With a good authority and a good token.
    async fn new() -> Self {
        let pod = Self::bare().await;
        pod.put_ca(pod.pki.authority("west.lab"));
        pod.put_token("good");
        pod
    }

    /// With neither.
    async fn bare() -> Self {
        let pki = Pki::new();
        let backend = backends::after_end("west").await;
        let mut config = pki.config("west");
        config.ingress.insert(port("demo/echo", 80), route(&["*"], false, &[backend.address]));
        let directory = tempfile::tempdir().unwrap();
        Self { pki, config, directory, token: watch::Sender::new("good".to_owned()), _backend: backend }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// As the kubelet does it: a new directory, and a symlink that is renamed over the old one.
    fn put_ca(&self, authority: &Authority) {
        let generation = self.file(&format!("..{}", authority.fingerprint_hex()));
        std::fs::create_dir_all(&generation).unwrap();
        std::fs::write(generation.join("ca.pem"), authority.cert_pem()).unwrap();
        let fresh = self.file("..data_tmp");
        symlink(&generation, &fresh).unwrap();
        std::fs::rename(&fresh, self.file("..data")).unwrap();
        if !self.file("ca.pem").is_symlink() {
            symlink(Path::new("..data/ca.pem"), self.file("ca.pem")).unwrap();
        }
    }

    fn put_token(&self, token: &str) {
        std::fs::write(self.file("token.new"), token).unwrap();
        std::fs::rename(self.file("token.new"), self.file("token")).unwrap();
    }

    async fn agent(&self) -> FakeAgent {
        self.agent_as(([127, 0, 0, 1], 0).into(), self.pki.identity(AGENT)).await
    }

    async fn agent_as(&self, listen: SocketAddr, identity: Identity) -> FakeAgent {
        FakeAgent::start_tls(listen, identity, self.token.subscribe(), &self.pki, &self.config).await
    }

    fn gateway_config(&self, agent: SocketAddr) -> Config {
        let unused = LocalAddr::Tcp(agent);
        Config {
            agent: format!("https://localhost:{}", agent.port()).parse().unwrap(),
            agent_ca: self.file("ca.pem"),
            agent_token_file: self.file("token"),
            ..configured(&unused, &self.file("data"))
        }
    }

    async fn gateway(&self, agent: SocketAddr) -> Running {
        Running::start_configured(&self.gateway_config(agent)).await
    }

    async fn works(&self, gateway: &Running) {
        let name = port("demo/echo", 80).sni();
        let caller = Caller::new(&self.pki, "spiffe://east.lab/isthmus/gateway");
        let mut stream = caller.call(gateway.addresses.ingress, &name).await.unwrap();
        assert_eq!(ask(&mut stream, "x").await.unwrap(), "west:x");
    }
}

fn address(agent: &FakeAgent) -> SocketAddr {
    let LocalAddr::Tcp(address) = agent.address else { panic!("it listens on TCP") };
    address
}

/// Waits until `/status` says that the agent is not followed, for a reason with these words.
async fn says(gateway: &Running, words: &str) {
    let said = eventually(DEADLINE, async || {
        let status: serde_json::Value = serde_json::from_str(&gateway.page("/status").await).unwrap();
        let problem = status["agent"]["problem"].as_str().unwrap_or_default().to_owned();
        status["agent"]["connected"] == false && problem.contains(words)
    });
    if said.await.is_err() {
        panic!("{words:?} is not in {}", gateway.page("/status").await);
    }
}

async fn follows_again(gateway: &Running) {
    let connected = eventually(DEADLINE, async || {
        let status: serde_json::Value = serde_json::from_str(&gateway.page("/status").await).unwrap();
        status["agent"]["connected"] == true
    });
    if connected.await.is_err() {
        panic!("not followed: {}", gateway.page("/status").await);
    }
}

#[tokio::test]
async fn an_agent_is_followed_over_tls_and_the_gateway_serves_without_it_also_after_a_restart() {
    let pod = Pod::new().await;
    let agent = pod.agent().await;
    let at = address(&agent);
    let gateway = pod.gateway(at).await;
    gateway.ready().await;
    agent.report(|report| report.version == "v1" && report.problems.is_empty()).await;
    pod.works(&gateway).await;

    agent.kill().await;
    pod.works(&gateway).await;
    gateway.stop(Duration::from_secs(5)).await;
    // The container starts again: its data directory is still there, its agent is not, and nor are its files.
    std::fs::remove_file(pod.file("token")).unwrap();
    std::fs::remove_file(pod.file("..data")).unwrap();
    let gateway = pod.gateway(at).await;
    gateway.ready().await;
    pod.works(&gateway).await;
    says(&gateway, "waiting for the agent's CA").await;

    pod.put_ca(pod.pki.authority("west.lab"));
    pod.put_token("good");
    let agent = pod.agent_as(at, pod.pki.identity(AGENT)).await;
    follows_again(&gateway).await;
    agent.report(|report| report.version == "v1").await;
    let page =
        gateway.page("/config").await + &gateway.page("/status").await + &gateway.page("/metrics").await;
    assert!(!page.contains("\"good\""), "the token is shown nowhere");
}

#[tokio::test]
async fn the_authority_is_waited_for_and_a_wrong_one_says_so() {
    let pod = Pod::bare().await;
    pod.put_token("good");
    let agent = pod.agent().await;
    let gateway = pod.gateway(address(&agent)).await;
    says(&gateway, "waiting for the agent's CA: there is no").await;
    assert!(gateway.page("/readyz").await.contains("waiting for a configuration from the agent"));

    // Another authority of the same domain: the agent's certificate is not of it.
    pod.put_ca(&authority("west.lab"));
    says(&gateway, "certificate").await;
    // The authority of another domain.
    pod.put_ca(pod.pki.authority("east.lab"));
    says(&gateway, "certificate").await;
    pod.put_ca(pod.pki.authority("west.lab"));
    gateway.ready().await;
    pod.works(&gateway).await;
}

#[tokio::test]
async fn only_the_agent_of_the_domain_is_believed() {
    let pod = Pod::new().await;
    // Everybody in the cluster has a certificate of this authority.
    for name in ["spiffe://west.lab/isthmus/gateway", "spiffe://west.lab/ns/demo/sa/isthmus-agent"] {
        let somebody = pod.agent_as(([127, 0, 0, 1], 0).into(), pod.pki.identity(name)).await;
        let gateway = pod.gateway(address(&somebody)).await;
        says(&gateway, "cannot be followed").await;
        assert!(!gateway.process.readiness.is_ready());
        gateway.stop(Duration::from_secs(5)).await;
    }
    // The configured domain counts, whatever the file names.
    let agent = pod.agent().await;
    let config =
        Config { trust_domain: Some("east.lab".parse().unwrap()), ..pod.gateway_config(address(&agent)) };
    let gateway = Running::start_configured(&config).await;
    says(&gateway, "holds no authority of east.lab").await;
}

#[tokio::test]
async fn tokens_are_read_again_and_an_expired_one_ends_the_stream() {
    let pod = Pod::new().await;
    std::fs::remove_file(pod.file("token")).unwrap();
    let agent = pod.agent().await;
    let gateway = pod.gateway(address(&agent)).await;
    says(&gateway, "token").await;
    pod.put_token("wrong");
    says(&gateway, "the token is not accepted").await;
    pod.put_token("good");
    gateway.ready().await;

    // The kubelet rotates, then the old token expires.
    pod.put_token("better");
    pod.token.send_replace("better".to_owned());
    agent.report(|report| report.version == "v1").await;
    follows_again(&gateway).await;
    agent.say("v2", &pod.config);
    gateway.follows("v2").await;

    // It expires and there is no other.
    pod.token.send_replace("best".to_owned());
    says(&gateway, "the token is not accepted").await;
    pod.works(&gateway).await;
}

#[tokio::test]
async fn a_replaced_authority_is_used_at_once_and_the_old_one_is_not_believed_any_more() {
    let pod = Pod::new().await;
    let agent = pod.agent().await;
    let at = address(&agent);
    let gateway = pod.gateway(at).await;
    gateway.ready().await;

    let next = authority("west.lab");
    pod.put_ca(&next);
    // The agent still has its old certificate: it is dropped although nothing else ended.
    says(&gateway, "certificate").await;
    agent.kill().await;
    let renewed = issue(&next, &AGENT.parse().unwrap());
    let agent = pod.agent_as(at, renewed).await;
    follows_again(&gateway).await;
    agent.say("v2", &pod.config);
    gateway.follows("v2").await;
}
