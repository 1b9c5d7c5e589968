//! A real Envoy as a child process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use agent_agent::xds::NodeMeta;
use agent_agent::xds::bootstrap::{Bootstrap, Protocol, render};
use federation_kit::testing::eventually;
use tokio::process::{Child, Command};

use super::servers::http_get;
use super::{Agent, DEADLINE};

/// The binary: `ISTHMUS_ENVOY`, or where the set-up script puts it.
pub fn binary() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = var("ISTHMUS_ENVOY").unwrap_or_else(|| {
        let cache = || Some(var("XDG_CACHE_HOME").unwrap_or(var("HOME")?.join(".cache")).join("isthmus"));
        let cache = var("ISTHMUS_CACHE").or_else(cache).expect("HOME, or ISTHMUS_CACHE, is set");
        cache.join("envoy-1.40.0").join("envoy")
    });
    assert!(
        path.is_file(),
        "there is no Envoy at {}: run `make setup`, or set ISTHMUS_ENVOY",
        path.display()
    );
    path
}

/// A running Envoy; killed when dropped.
pub struct Envoy {
    pub node: String,
    admin: std::net::SocketAddr,
    _child: Child,
}

impl Envoy {
    /// Starts one that gets everything from the agent, and waits until it has acknowledged these types.
    pub async fn start(
        agent: &Agent,
        node: &str,
        protocol: Protocol,
        meta: NodeMeta,
        types: &[&str],
    ) -> Self {
        let at = |name: &str| agent.dir.path().join(format!("{node}.{name}"));
        let bootstrap = Bootstrap {
            node_id: node.to_owned(),
            node_cluster: "east".to_owned(),
            meta,
            admin: "127.0.0.1:0".parse().unwrap(),
            agent: agent.address.clone(),
            protocol,
        };
        std::fs::write(at("json"), render(&bootstrap)).unwrap();
        let child = Command::new(binary())
            .arg("-c")
            .arg(at("json"))
            .arg("--admin-address-path")
            .arg(at("admin"))
            .args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"])
            .args(["--drain-time-s", "1"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let admin =
            eventually(DEADLINE, async || std::fs::read_to_string(at("admin")).ok()?.trim().parse().ok());
        let admin = admin.await.expect("Envoy says where its administration is");
        let envoy = Self { node: node.to_owned(), admin, _child: child };
        let whole =
            |status: &agent_agent::xds::NodeStatus| types.iter().all(|kind| status.acked.contains_key(kind));
        let waited = agent
            .status
            .wait_for(|nodes| nodes.get(node).is_some_and(|status| whole(status) || status.rejected > 0));
        let nodes = tokio::time::timeout(DEADLINE, waited).await.expect("Envoy acknowledges every type");
        assert_eq!(nodes[node].last_error, None);
        envoy
    }

    /// A page of its administration.
    pub async fn admin(&self, path: &str) -> String {
        let (status, body) = http_get(self.admin, "admin", path).await.unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// A counter or gauge; none if there is none of this name.
    pub async fn stat(&self, name: &str) -> Option<u64> {
        let all = self.admin(&format!("/stats?filter=^{}$", name.replace('.', "\\."))).await;
        all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok())
    }

    /// Waits until a statistic has a value.
    pub async fn until_stat(&self, name: &str, value: u64) {
        let waited = eventually(DEADLINE, async || self.stat(name).await == Some(value)).await;
        assert!(waited.is_ok(), "{name} is {:?} and not {value}", self.stat(name).await);
    }

    /// Fails if it rejected anything.
    pub async fn rejected_nothing(&self) {
        let all = self.admin("/stats?filter=(update_rejected|update_failure|init_fetch_timeout)").await;
        let bad: Vec<&str> = all.lines().filter(|line| !line.ends_with(": 0")).collect();
        let ours: Vec<_> =
            bad.iter().filter(|line| line.contains("rejected") || line.contains("timeout")).collect();
        assert!(ours.is_empty(), "{ours:?}");
        assert!(all.contains("update_rejected"), "{all}");
    }

    /// Waits until it serves.
    pub async fn serves(&self, listeners: u64) {
        self.until_stat("listener_manager.total_listeners_active", listeners).await;
        self.until_stat("listener_manager.total_listeners_warming", 0).await;
        self.until_stat("cluster_manager.warming_clusters", 0).await;
        self.until_stat("server.live", 1).await;
    }
}

/// How long an answer through Envoy may take.
pub const ANSWER: Duration = Duration::from_secs(20);
