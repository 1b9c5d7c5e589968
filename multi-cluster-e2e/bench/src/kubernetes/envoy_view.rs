//! What an Envoy says that it has.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::content::{NAMESPACE, PORT, Service};
use super::world::WEST_GATEWAY_PORT;

/// Pause between two looks: the resolution of what is measured with it.
const PAUSE: Duration = Duration::from_micros(500);

/// Looks at the endpoints that an Envoy runs with: its admin endpoint is answered by the thread that applies updates.
#[derive(Debug)]
pub(super) struct EnvoyView {
    http: reqwest::Client,
    admin: SocketAddr,
}

impl EnvoyView {
    pub(super) fn new(admin: SocketAddr) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).timeout(Duration::from_secs(5));
        Ok(Self { http: http.build()?, admin })
    }

    /// Waits until the weight of `west` is that of so many ready endpoints beside the one of `south`; gives back when.
    pub(super) async fn until(
        &self,
        service: &Service,
        ready: usize,
        within: Duration,
    ) -> anyhow::Result<Instant> {
        let begun = Instant::now();
        loop {
            let seen = self.weight(&service.name).await?;
            if seen == Some(ready as u64) {
                return Ok(Instant::now());
            }
            if begun.elapsed() > within {
                bail!("{} has weight {seen:?} after {} ms, not {ready}", service.name, within.as_millis());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn weight(&self, service: &str) -> anyhow::Result<Option<u64>> {
        // Percent-encoded `outbound\|80\|\|NAME\.bench\..*`.
        let name = format!("outbound%5C%7C{PORT}%5C%7C%5C%7C{service}%5C.{NAMESPACE}%5C..%2A");
        let url = format!(
            "http://{}/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex={name}",
            self.admin
        );
        let answer = self.http.get(url).send().await.context("the Envoy does not answer")?;
        let dump: Value = serde_json::from_slice(&answer.bytes().await?)?;
        Ok(weight_of(&dump, WEST_GATEWAY_PORT))
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
    }
}
