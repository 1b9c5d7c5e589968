//! From a YAML file saved in one cluster to the first request in another that is answered by it.
//!
//! The clock starts before the file is written. Two clients of the other cluster ask at the same time: one as a pod
//! without a proxy (DNS, then the VIP, through both gateways), one through a real Envoy. Beside them the agent is asked
//! what that Envoy has acknowledged. Every sample is a service that never was before, with a VIP to be given and
//! listeners to be opened; it stays, so that nothing but the next one changes what is acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use multi_cluster_e2e_lab::binaries::Binaries;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::launch::backend_process;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::{PortChoice, Ports};
use multi_cluster_e2e_lab::render::manifests::{PodEntry, ServiceManifest};
use multi_cluster_e2e_lab::samples::NAMESPACE;
use multi_cluster_e2e_lab::topology::ClusterPlace;

use crate::line::Line;
use crate::probe::{self, Acknowledged, GIVE_UP};
use crate::samples::{Samples, millis};

/// Promised in the lab, in milliseconds.
const TARGET_P99: f64 = 100.0;
/// The pod's number in its cluster: after those of the lab's samples.
const POD: u8 = 98;

#[derive(Debug, Default)]
struct Measured {
    gateway: Samples,
    envoy: Samples,
    acknowledged: Samples,
    failed: u32,
}

impl Measured {
    fn add_gateway(&mut self, answered: Option<Duration>) {
        self.failed += u32::from(answered.is_none());
        self.gateway.add(answered.unwrap_or(GIVE_UP));
    }

    fn add_envoy(&mut self, answered: Option<Duration>, acknowledged: Option<Duration>) {
        self.failed += u32::from(answered.is_none()) + u32::from(acknowledged.is_none());
        self.envoy.add(answered.unwrap_or(GIVE_UP));
        self.acknowledged.add(acknowledged.unwrap_or(GIVE_UP));
    }
}

/// Measures `samples` exports, one after the other.
pub async fn measure(samples: u32) -> anyhow::Result<Vec<Line>> {
    ensure!(samples > 0, "-n must be at least 1");
    let envoy = Binaries::envoy().is_ok();
    let lab = Lab::temporary(LabSpec { envoy, ports: PortChoice::Random, ..LabSpec::default() }).await?;
    let measured = tokio::select! {
        measured = run(&lab, samples) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    lab.down().await?;
    let measured = measured?;
    if measured.failed > 0 {
        eprintln!(
            "{} waits for an answer or an acknowledgement lasted {} s and count as so long",
            measured.failed,
            GIVE_UP.as_secs()
        );
    }
    let mut lines = lines("gateway", &measured.gateway);
    if envoy {
        lines.extend(self::lines("envoy", &measured.envoy));
        lines.extend(self::lines("envoy-ack", &measured.acknowledged));
    } else {
        eprintln!("the case envoy is missing: there is no Envoy");
    }
    Ok(lines)
}

async fn run(lab: &Arc<Lab>, samples: u32) -> anyhow::Result<Measured> {
    let east = lab.cluster("east")?;
    let west = lab.cluster("west")?;
    let mut measured = Measured::default();
    let mut ports = Ports::new(PortChoice::Random);
    for number in 0..samples {
        let service = format!("p{number}");
        let host = format!("{service}.{NAMESPACE}.svc.clusterset.local");
        let address = ports.pick(ClusterPlace::pod_address(west.octet, POD), 0)?;
        let process = format!("west-{service}");
        backend_process(lab, &process, west, &service, &process, address)?;
        // The backend must not be what is waited for.
        let ready = tokio::time::Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            ensure!(ready.elapsed() < GIVE_UP, "the backend {process} does not listen");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let manifest = ServiceManifest::exported(
            west,
            &service,
            PodEntry { name: process.clone(), address, ready: true },
        );

        let before = match &east.envoy {
            Some(envoy) => Some((envoy.outbound, Acknowledged::by_envoy(lab.observer(), east).await?)),
            None => None,
        };
        let since = Instant::now();
        lab.save_yaml("west", &manifest)?;
        let through_envoy = async {
            let (outbound, before) = before.as_ref()?;
            Some(tokio::join!(
                probe::at(*outbound, &host, &service, since),
                before.followed(lab.observer(), east, since),
            ))
        };
        let (gateway, envoy) = tokio::join!(probe::by_name(east, &host, &service, since), through_envoy);
        measured.add_gateway(gateway);
        if let Some((answered, acknowledged)) = envoy {
            measured.add_envoy(answered, acknowledged);
        }
        lab.stop(&process, true).await?;
    }
    Ok(measured)
}

fn lines(case: &str, samples: &Samples) -> Vec<Line> {
    let line = |metric, percent| {
        let figure = samples.percentile(percent).map_or(f64::NAN, millis);
        Line::lower("propagation", case, metric, "ms", figure, samples.count())
    };
    vec![line("p50", 50), line("p99", 99).target(TARGET_P99), line("max", 100)]
}
