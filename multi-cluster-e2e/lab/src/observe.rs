//! Looking at the daemons from outside: `/readyz`, `/status` and `/metrics`.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(2);

/// Looks at HTTP endpoints on this machine.
#[derive(Debug, Clone)]
pub struct Observer {
    http: reqwest::Client,
}

impl Observer {
    /// One client for many looks.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().timeout(LOOK).build()? })
    }

    /// Whether a daemon is ready; what it says if it is not.
    pub async fn ready(&self, address: SocketAddr) -> anyhow::Result<()> {
        self.get(address, "/readyz").await.map(drop)
    }

    /// A daemon's `/status`.
    pub async fn status(&self, address: SocketAddr) -> anyhow::Result<Value> {
        let text = self.get(address, "/status").await?;
        serde_json::from_str(&text).with_context(|| format!("http://{address}/status is not JSON"))
    }

    /// The sum of a metric over all label sets that contain `labels` (a part of the text between the braces).
    pub async fn metric(&self, address: SocketAddr, name: &str, labels: &str) -> anyhow::Result<f64> {
        Ok(sum_metric(&self.get(address, "/metrics").await?, name, labels))
    }

    /// Any page; an error unless the answer is a 2xx.
    pub async fn get(&self, address: SocketAddr, path: &str) -> anyhow::Result<String> {
        let url = format!("http://{address}{path}");
        let response = self.http.get(&url).send().await.with_context(|| format!("no answer from {url}"))?;
        let status = response.status();
        let text = response.text().await.with_context(|| format!("{url} broke off"))?;
        if !status.is_success() {
            bail!("{url} answers {status}: {}", text.trim());
        }
        Ok(text)
    }
}

fn sum_metric(text: &str, name: &str, labels: &str) -> f64 {
    let value = |line: &str| -> Option<f64> {
        let rest = line.strip_prefix(name)?;
        let (found, number) = match rest.strip_prefix('{') {
            Some(inner) => inner.split_once('}')?,
            None if rest.starts_with(' ') => ("", rest),
            None => return None,
        };
        found.contains(labels).then(|| number.trim().parse().ok()).flatten()
    };
    text.lines().filter_map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_matching_labels_only() {
        let text = "# HELP x_total x\nx_total{reason=\"a\"} 2\nx_total{reason=\"b\",side=\"in\"} 3\nx_total_other{reason=\"a\"} 50\ny 7\n";
        let sums = [
            sum_metric(text, "x_total", ""),
            sum_metric(text, "x_total", "reason=\"b\""),
            sum_metric(text, "y", ""),
        ];
        assert_eq!(sums.map(|sum| sum.to_string()), ["5", "3", "7"]);
    }
}
