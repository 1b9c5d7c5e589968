//! The fastest way to see whether something answers already: a bare HTTP request on a fresh connection, again and again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use multi_cluster_e2e_lab::backend::Answer;
use multi_cluster_e2e_lab::client::dns;
use multi_cluster_e2e_lab::observe::Observer;
use multi_cluster_e2e_lab::topology::{ClusterPlace, SERVICE_PORT};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Pause between two tries: the resolution of what is measured with it.
const PAUSE: Duration = Duration::from_millis(1);
/// Most bytes of an answer.
const MAX_ANSWER: u64 = 16 * 1024;
/// After so long a sample counts as this long, and is said to have failed.
pub const GIVE_UP: Duration = Duration::from_secs(10);

/// How long it took, from `since`, until `host` was answered by `service` at the address that DNS gave.
pub async fn by_name(cluster: &ClusterPlace, host: &str, service: &str, since: Instant) -> Option<Duration> {
    let attempt = || async {
        let answer = dns::query(cluster.dns, host, "A").await.ok()?;
        let ip = answer.addresses().first().copied()?;
        request((ip, SERVICE_PORT).into(), host, service).await
    };
    repeat(attempt, since).await
}

/// The same at a fixed address, by the Host header: a proxy.
pub async fn at(address: SocketAddr, host: &str, service: &str, since: Instant) -> Option<Duration> {
    repeat(|| request(address, host, service), since).await
}

/// What an Envoy acknowledged last of the types that a new service changes: the content hashes of its clusters, their
/// endpoints and its routes, as its agent tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged([String; 3]);

impl Acknowledged {
    /// Asks the agent of `cluster`.
    pub async fn by_envoy(observer: &Observer, cluster: &ClusterPlace) -> anyhow::Result<Self> {
        let status = observer.status(cluster.agent_http).await?;
        let acked = status.pointer("/xds/0/acked").context("the agent has no Envoy")?;
        let version = |kind: &str| {
            let version = acked.get(kind).and_then(Value::as_str);
            version.map(str::to_owned).with_context(|| format!("no {kind} was ever acknowledged"))
        };
        Ok(Self([version("cds")?, version("eds")?, version("rds")?]))
    }

    fn all_differ(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(mine, theirs)| mine != theirs)
    }

    /// How long it took, from `since`, until every one of these versions was followed by another.
    pub async fn followed(
        &self,
        observer: &Observer,
        cluster: &ClusterPlace,
        since: Instant,
    ) -> Option<Duration> {
        let attempt = || async {
            let now = Self::by_envoy(observer, cluster).await.ok()?;
            now.all_differ(self).then_some(())
        };
        repeat(attempt, since).await
    }
}

async fn repeat<Fut: Future<Output = Option<()>>>(
    attempt: impl Fn() -> Fut,
    since: Instant,
) -> Option<Duration> {
    while since.elapsed() < GIVE_UP {
        let left = GIVE_UP.saturating_sub(since.elapsed());
        if let Ok(Some(())) = tokio::time::timeout(left, attempt()).await {
            return Some(since.elapsed());
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}

/// One request; only a complete answer with status 200 by the right service counts.
async fn request(address: SocketAddr, host: &str, service: &str) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let head = format!("GET / HTTP/1.1\r\nhost: {host}:{SERVICE_PORT}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    let mut stream = stream.take(MAX_ANSWER);
    let mut bytes = Vec::new();
    // Not until the end of the connection: a proxy may hold it open for a while after it has answered.
    while stream.read_buf(&mut bytes).await.ok()? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(answered) = answered_by(&text) {
            return (answered == service).then_some(());
        }
        if text.contains("\r\n\r\n") && !text.starts_with(GOOD) {
            return None;
        }
    }
    None
}

/// How an answer that counts begins.
const GOOD: &str = "HTTP/1.1 200 ";

fn answered_by(response: &str) -> Option<String> {
    let body = response.strip_prefix(GOOD)?.split_once("\r\n\r\n")?.1;
    // A proxy may send the body in chunks: the JSON is what is between the first and the last brace.
    let json = body.get(body.find('{')?..=body.rfind('}')?)?;
    Some(serde_json::from_str::<Answer>(json).ok()?.service)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"cluster":"west","service":"p1","pod":"p1-1","path":"/","headers":{}}"#;

    #[test]
    fn only_a_whole_good_answer_counts() {
        let good = format!("HTTP/1.1 200 OK\r\nx: y\r\n\r\n{BODY}");
        let chunked =
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n46\r\n{BODY}\r\n0\r\n\r\n");
        assert_eq!(answered_by(&good).as_deref(), Some("p1"));
        assert_eq!(answered_by(&chunked).as_deref(), Some("p1"));
        for bad in ["", "HTTP/1.1 503 no\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n{\"clu"]
        {
            assert_eq!(answered_by(bad), None, "{bad:?}");
        }
        assert_eq!(answered_by(&good.replace("200", "404")), None);
    }
}
