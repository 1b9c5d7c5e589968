//! What every step works with.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use federation_model::TrustDomain;
use federation_trust::Authority;

use crate::client::http::HttpAnswer;
use crate::client::mtls::{MtlsClient, Seen as Wire};
use crate::lab::Lab;
use crate::samples::NAMESPACE;
use crate::topology::{SERVICE_PORT, Trust};
use crate::wait::{Seen, until};

/// How long a promised change may take to be seen.
pub(super) const SOON: Duration = Duration::from_secs(10);
/// How long the federation may take to elect a leader, or agents to notice that servers came or went.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What kind of tour.
#[derive(Debug, Clone, Default)]
pub struct Tour {
    /// Whether a missing Envoy is a failure.
    pub require_envoy: bool,
    /// Where the clusters' authorities come from.
    pub trust: Trust,
}

/// The lab, and who plays which part.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) lab: Arc<Lab>,
    pub(super) tour: Tour,
}

/// The cluster that calls.
pub(super) const EAST: &str = "east";
/// The cluster that answers.
pub(super) const WEST: &str = "west";
/// The cluster that may see more than the first.
pub(super) const SOUTH: &str = "south";

/// The name of a sample service.
pub(super) fn host(service: &str) -> String {
    format!("{service}.{NAMESPACE}.svc.clusterset.local")
}

/// The SNI of a sample service.
pub(super) fn sni(service: &str) -> String {
    format!("outbound_.{SERVICE_PORT}_._.{}", host(service))
}

/// The URL of a sample service.
pub(super) fn url(service: &str) -> String {
    format!("http://{}:{SERVICE_PORT}/tour", host(service))
}

impl Stage {
    pub(super) fn new(lab: Arc<Lab>, tour: Tour) -> Self {
        Self { lab, tour }
    }

    /// One call from the first cluster, as a pod without a proxy makes it.
    pub(super) async fn call(&self, service: &str) -> anyhow::Result<HttpAnswer> {
        self.lab.curl(EAST, &url(service)).await
    }

    /// Which cluster answers one call.
    pub(super) async fn answered_by(&self, service: &str) -> anyhow::Result<String> {
        let answer = self.call(service).await?.backend()?;
        ensure!(answer.service == service, "asked for {service}, and {} answered", answer.service);
        Ok(answer.cluster)
    }

    /// Calls until `cluster` answers; gives back how often, and how long after `began` it did. Any failed call is a failure: moving traffic must not lose a request.
    pub(super) async fn answers_move_to(
        &self,
        service: &str,
        cluster: &str,
        began: Instant,
    ) -> anyhow::Result<(u32, Duration)> {
        let mut calls = 0_u32;
        while began.elapsed() < SOON {
            calls += 1;
            if self.answered_by(service).await? == cluster {
                return Ok((calls, began.elapsed()));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        anyhow::bail!("{calls} calls in {} ms, and none was answered by {cluster}", SOON.as_millis())
    }

    /// Calls until the first answer, whatever goes wrong before.
    pub(super) async fn becomes_callable(&self, service: &str, within: Duration) -> anyhow::Result<Duration> {
        let look = || async { Ok(Seen::from_result(self.answered_by(service).await)) };
        Ok(until(&format!("{EAST} to be answered by {service}"), within, look).await?.1)
    }

    /// Waits until a name does not exist for the first cluster.
    pub(super) async fn becomes_unknown(&self, service: &str) -> anyhow::Result<Duration> {
        let name = host(service);
        let look = || async {
            let answer = self.lab.dig(EAST, &name, "A").await?;
            Ok(if answer.is_nxdomain() { Seen::Done(()) } else { Seen::NotYet(answer.brief()) })
        };
        Ok(until(&format!("{name} to be NXDOMAIN in {EAST}"), SOON, look).await?.1)
    }

    /// What only the owner of a cluster has: its authority, with the key.
    pub(super) fn authority_of(&self, cluster: &str) -> anyhow::Result<Authority> {
        let (topology, layout) = (self.lab.topology(), self.lab.layout());
        let (cert, key) = match topology.trust {
            Trust::Shared => {
                let ca = layout.cluster_ca(cluster);
                (ca.join("cert-chain.pem"), ca.join("ca-key.pem"))
            }
            Trust::Separate => {
                let data = layout.cluster(cluster).join("data");
                (data.join("ca.pem"), data.join("ca.key"))
            }
        };
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        let domain = TrustDomain::of_cluster(&topology.cluster(cluster)?.id, &topology.clusterset)?;
        Ok(Authority::load(&domain, &read(&cert)?, &read(&key)?)?)
    }

    /// A client that is the first cluster's gateway, as far as anyone can tell.
    pub(super) async fn easts_gateway(&self) -> anyhow::Result<MtlsClient> {
        MtlsClient::as_gateway(&self.lab.cluster(EAST)?.agent_socket).await
    }

    /// One call straight at the second cluster's gateway.
    pub(super) async fn dial_west(&self, client: &MtlsClient, service: &str) -> anyhow::Result<Wire> {
        client.call(self.lab.cluster(WEST)?.gateway, &sni(service)).await
    }

    /// What the second cluster's gateway has refused so far.
    pub(super) async fn refused_by_west(&self) -> anyhow::Result<f64> {
        let gateway = self.lab.cluster(WEST)?.gateway_http;
        self.lab.observer().metric(gateway, "isthmus_gateway_refused_total", "").await
    }
}

/// What of a refusal must not depend on the name: who refused, how, and the kinds of records on the wire with the
/// length of the last, which is the alert. (Lengths of handshake records differ by themselves: an ECDSA signature has
/// 70 to 72 bytes.)
pub(super) fn outside_view(seen: &Wire) -> impl PartialEq + std::fmt::Debug + use<> {
    let kinds: Vec<u8> = seen.records.iter().map(|(kind, _)| *kind).collect();
    (seen.server.clone(), seen.answer.clone(), kinds, seen.records.last().map(|(_, length)| *length))
}
