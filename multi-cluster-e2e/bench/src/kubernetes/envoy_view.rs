//! What an Envoy says that it has.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde_json::Value;

use super::content::{NAMESPACE, PORT, Service, TARGET_PORT};
use super::world::WEST_GATEWAY_PORT;

/// Pause between two looks. It does not matter to what is measured.
const PAUSE: Duration = Duration::from_millis(5);
/// Envoy's clock of updates counts whole milliseconds, and rounds down: what is lost on the average.
const ROUNDED: Duration = Duration::from_micros(500);

/// Looks at the endpoints that an Envoy runs with, and at when it took them.
#[derive(Debug)]
pub(super) struct EnvoyView {
    http: reqwest::Client,
    admin: SocketAddr,
    shown: Shown,
}

/// How an Envoy shows that so many endpoints of `west` are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// By the weight of the gateway of `west`.
    WeightOfWest,
    /// By having so many endpoints.
    Endpoints,
}

impl EnvoyView {
    pub(super) fn new(admin: SocketAddr, shown: Shown) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(Duration::from_secs(5));
        Ok(Self { http: http.build()?, admin, shown })
    }

    /// Whether it answers at all.
    pub(super) async fn answers(&self) -> anyhow::Result<()> {
        let url = format!("http://{}/ready", self.admin);
        self.http.get(url).send().await?.error_for_status()?;
        Ok(())
    }

    /// Waits until it shows that so many endpoints of `west` are ready; gives back when the
    /// Envoy took it, to half a millisecond.
    pub(super) async fn until(
        &self,
        service: &Service,
        ready: usize,
        within: Duration,
    ) -> anyhow::Result<Instant> {
        let begun = Instant::now();
        loop {
            let seen = self.ready(&service.name).await?;
            if seen == Some(ready as u64) {
                return self.taken_at(&service.name).await;
            }
            if begun.elapsed() > within {
                bail!(
                    "{} has {seen:?} ready endpoints after {} ms, not {ready}",
                    service.name,
                    within.as_millis()
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// When the Envoy took the last endpoints of a service.
    async fn taken_at(&self, service: &str) -> anyhow::Result<Instant> {
        let name = format!("cluster.outbound|{PORT}||{service}.{NAMESPACE}.");
        let filter = format!("outbound.{PORT}..{service}.{NAMESPACE}..*update_time$");
        let url = format!("http://{}/stats?format=json&filter={filter}", self.admin);
        let answer = self.http.get(url).send().await.context("the Envoy does not answer")?;
        let stats: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let now = (Instant::now(), SystemTime::now());
        let taken = update_time(&stats, &name)
            .with_context(|| format!("the Envoy has no update_time of {service}"))?;
        let ago = now.1.duration_since(UNIX_EPOCH + taken + ROUNDED).unwrap_or_default();
        now.0.checked_sub(ago).context("the Envoy took an update before this machine was started")
    }

    async fn ready(&self, service: &str) -> anyhow::Result<Option<u64>> {
        // Percent-encoded `outbound\|80\|\|NAME\.bench\..*`.
        let name = format!("outbound%5C%7C{PORT}%5C%7C%5C%7C{service}%5C.{NAMESPACE}%5C..%2A");
        let url = format!(
            "http://{}/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex={name}",
            self.admin
        );
        let answer = self.http.get(url).send().await.context("the Envoy does not answer")?;
        let dump: Value = serde_json::from_slice(&answer.bytes().await?)?;
        Ok(match self.shown {
            Shown::WeightOfWest => weight_of(&dump, WEST_GATEWAY_PORT),
            Shown::Endpoints => Some(count(&dump, TARGET_PORT)),
        })
    }
}

/// The weight of the endpoint with this port, wherever in a dump it stands.
fn weight_of(dump: &Value, port: u16) -> Option<u64> {
    let here = dump.pointer("/endpoint/address/socket_address/port_value").and_then(Value::as_u64);
    if here == Some(port.into()) {
        // Envoy leaves out a weight of 1.
        return Some(dump.get("load_balancing_weight").and_then(Value::as_u64).unwrap_or(1));
    }
    match dump {
        Value::Array(all) => all.iter().find_map(|one| weight_of(one, port)),
        Value::Object(fields) => fields.values().find_map(|one| weight_of(one, port)),
        _ => None,
    }
}

/// How many endpoints with this port there are anywhere in a dump, but for those that are told to be out of service.
fn count(dump: &Value, port: u16) -> u64 {
    let here = dump.pointer("/endpoint/address/socket_address/port_value").and_then(Value::as_u64);
    let health = dump.get("health_status").and_then(Value::as_str);
    match dump {
        _ if here == Some(port.into()) => u64::from(matches!(health, None | Some("HEALTHY" | "UNKNOWN"))),
        Value::Array(all) => all.iter().map(|one| count(one, port)).sum(),
        Value::Object(fields) => fields.values().map(|one| count(one, port)).sum(),
        _ => 0,
    }
}

/// The time since the epoch at which the cluster with this prefix took its last update.
fn update_time(stats: &Value, prefix: &str) -> Option<Duration> {
    let stats = stats.get("stats")?.as_array()?.iter();
    let named = |stat: &&Value| {
        let name = stat.get("name").and_then(Value::as_str);
        name.is_some_and(|name| name.starts_with(prefix) && name.ends_with(".update_time"))
    };
    stats.filter(named).find_map(|stat| stat.get("value")?.as_u64()).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_weight_of_one_gateway_is_found() {
        let endpoint = |port: u16, weight: u64| {
            json!({
                "endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": port}}},
                "load_balancing_weight": weight,
            })
        };
        let dump = json!({"configs": [{"endpoint_config": {"endpoints": [
            {"lb_endpoints": [endpoint(1, 5)]}, {"lb_endpoints": [endpoint(2, 7)]},
        ]}}]});
        assert_eq!(weight_of(&dump, 2), Some(7));
        assert_eq!(weight_of(&dump, 3), None);
        assert_eq!((count(&dump, 2), count(&dump, 3)), (1, 0));
        let mut out = endpoint(2, 7);
        out["health_status"] = json!("UNHEALTHY");
        assert_eq!(count(&out, 2), 0);
    }

    #[test]
    fn the_time_of_one_cluster_is_found() {
        let stat = |name: &str, value: u64| json!({"name": name, "value": value});
        let stats = json!({"stats": [
            stat("cluster.outbound|80||s1.bench.svc.lb.update_time", 3),
            stat("cluster.outbound|80||s10.bench.svc.update_time", 4),
        ]});
        let of = |prefix: &str| update_time(&stats, prefix).map(|time| time.as_millis());
        assert_eq!(of("cluster.outbound|80||s10.bench."), Some(4));
        assert_eq!(of("cluster.outbound|80||s2.bench."), None);
    }
}
