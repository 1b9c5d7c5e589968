//! HTTP as a pod of one cluster speaks it: the name is asked of that cluster's DNS, and the answer is dialled.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;

use super::dns;
use crate::backend::Answer;
use crate::topology::ClusterPlace;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// What came back.
#[derive(Debug, Clone, Serialize)]
pub struct HttpAnswer {
    /// The address that was dialled.
    pub dialled: SocketAddr,
    /// The HTTP status.
    pub status: u16,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
    /// How long it took, name resolution included, in microseconds.
    pub micros: u128,
}

impl HttpAnswer {
    /// What a sample backend said, if one answered.
    pub fn backend(&self) -> anyhow::Result<Answer> {
        if self.status != 200 {
            bail!("HTTP {} from {}: {}", self.status, self.dialled, self.body.trim());
        }
        serde_json::from_str(&self.body)
            .with_context(|| format!("not a sample backend's answer: {}", self.body))
    }
}

/// Calls `url` from `cluster`: resolved by its DNS server, dialled directly, without any proxy.
pub async fn get(cluster: &ClusterPlace, url: &str) -> anyhow::Result<HttpAnswer> {
    let began = Instant::now();
    let url = parse(url)?;
    let host = url.host_str().context("the URL names no host")?.to_owned();
    let port = url.port_or_known_default().context("the URL has no port")?;
    let answer = dns::query(cluster.dns, &host, "A").await?;
    let Some(ip) = answer.addresses().first().copied() else {
        bail!("{host} does not resolve in {}: {}", cluster.id, answer.brief());
    };
    send(url, &host, SocketAddr::new(ip, port), None, began).await
}

/// Calls `url` through a cluster's Envoy, as a pod with a proxy does.
pub async fn get_through_envoy(cluster: &ClusterPlace, url: &str) -> anyhow::Result<HttpAnswer> {
    let began = Instant::now();
    let Some(envoy) = &cluster.envoy else {
        bail!("{} has no Envoy: start the lab with --envoy", cluster.id);
    };
    let mut url = parse(url)?;
    let host = url.host_str().context("the URL names no host")?.to_owned();
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.clone(),
    };
    let outbound = envoy.outbound;
    if url.set_port(Some(outbound.port())).is_err() {
        bail!("{url} cannot be sent through a proxy");
    }
    send(url, &host, outbound, Some(authority), began).await
}

/// One GET on a connection of its own to `dial`. `authority` replaces the Host header.
async fn send(
    url: reqwest::Url,
    host: &str,
    dial: SocketAddr,
    authority: Option<String>,
    began: Instant,
) -> anyhow::Result<HttpAnswer> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(REQUEST)
        .resolve(host, dial)
        .build()?;
    let mut request = client.get(url.clone());
    if let Some(authority) = authority {
        request = request.header("host", authority);
    }
    let response = request.send().await.with_context(|| format!("{url} failed at {dial}"))?;
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = response.text().await.with_context(|| format!("{url} broke off at {dial}"))?;
    Ok(HttpAnswer { dialled: dial, status, headers, body, micros: began.elapsed().as_micros() })
}

fn parse(url: &str) -> anyhow::Result<reqwest::Url> {
    let parsed = reqwest::Url::parse(url).with_context(|| format!("{url:?} is not a URL"))?;
    if parsed.scheme() != "http" {
        bail!("{url:?}: only http:// works here: the mesh adds the TLS between clusters");
    }
    Ok(parsed)
}
