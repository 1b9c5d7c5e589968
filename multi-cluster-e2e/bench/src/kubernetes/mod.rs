//! From one API server to the proxies and objects of another cluster.
//!
//! Two clusters, each a real kube-apiserver with its etcd, and an agent that reads it: `west` exports, `east` imports.
//! A third, `south`, exports one endpoint of every service from files, so that what `west` says is one part of two and
//! every endpoint that comes or goes changes the weights which the Envoy of `east` must have. Three federation servers
//! write to disk; the etcds do not, for they are not what is measured. No gateway runs: none is on the way.
//!
//! - `endpoint`: one endpoint of a slice in `west` becomes ready or not. From just before the PATCH until the Envoy of
//!   `east` took the new weight: it must show it (`config_dump` of its admin endpoint), and says since when (the
//!   `update_time` of the cluster's own statistics, in whole milliseconds).
//! - `export`: a ServiceExport is created in `west`. From just before that until a watch of `east` shows the
//!   ServiceImport with the condition `Ready`.
//! - `burst`: the same for many at once; from the first request until the last is ready.
//!
//! Reading order: [`content`] → [`world`] → [`envoy_view`] and [`imports`] → this → [`istiod`] (the peer).

mod content;
mod envoy_view;
mod imports;
mod istiod;
mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use multi_cluster_e2e_kube::{Kind, Objects};
use serde_json::json;

use self::content::{NAMESPACE, Service};
use self::envoy_view::{EnvoyView, Shown};
use self::imports::Imports;
use self::istiod::Debounce;
use self::world::World;
use crate::line::Line;
use crate::samples::{Samples, millis};

/// Requests that are under way at once where many objects are written: as a controller with 32 workers would.
const AT_ONCE: usize = 32;
/// Nobody looks at the Envoy for so long after a patch: to be looked at costs it more than the update. It says afterwards
/// when it took it.
const UNDISTURBED: Duration = Duration::from_millis(25);
/// After so long a sample counts as this long, and is said to have failed.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How long the clusterset may take to settle before anything is measured, and a burst at the most.
const SETTLE: Duration = Duration::from_secs(180);

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Services that `west` exports before anything is measured.
    pub services: usize,
    /// Endpoints of all of them together.
    pub endpoints: usize,
    /// Patches, and exports one after the other.
    pub samples: usize,
    /// Exports that are created at once.
    pub burst: usize,
    /// A `pilot-discovery` to measure beside.
    pub istiod: Option<PathBuf>,
}

const ENDPOINT_CASE: &str = "endpoint";
/// Promised, in milliseconds.
const ENDPOINT: (f64, f64) = (10.0, 30.0);
const EXPORT_P99: f64 = 250.0;
const BURST: f64 = 10_000.0;

/// Measures all cases.
///
/// # Errors
/// When it could not measure: a program is missing, or the clusterset did not settle.
pub async fn measure(options: &Options) -> anyhow::Result<Vec<Line>> {
    ensure!(options.services > 0 && options.samples > 0, "--services and --samples must be at least 1");
    ensure!(options.endpoints >= 2 * options.services, "--endpoints must be at least two for each service");
    let world = World::up().await?;
    let measured = tokio::select! {
        measured = run(&world, options) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    let measured = measured.map_err(|error| world.with_logs(&error));
    world.down().await?;
    let lines = measured?;
    let Some(program) = &options.istiod else {
        // A peer that was not measured is named, never left out.
        eprintln!("the peer istiod is missing: ISTIOD=PATH names a pilot-discovery to measure beside");
        return Ok(lines);
    };
    let services = content::services(options.services, options.endpoints);
    let peers = istiod::measure(program, &services, options.samples).await?;
    Ok(with_peers(lines, &peers))
}

/// The figures of endpoints, once beside each peer; the others as they are.
fn with_peers(lines: Vec<Line>, peers: &[(Debounce, Samples)]) -> Vec<Line> {
    let beside = |line: Line| -> Vec<Line> {
        let percent = match line.metric {
            _ if line.case != ENDPOINT_CASE => return vec![line],
            "p50" => 50,
            "p99" => 99,
            _ => 100,
        };
        let theirs = |(debounce, samples): &(Debounce, Samples)| {
            let theirs = samples.percentile(percent).map_or(f64::NAN, millis);
            line.clone().against(debounce.peer(), theirs)
        };
        peers.iter().map(theirs).collect()
    };
    lines.into_iter().flat_map(beside).collect()
}

async fn run(world: &World, options: &Options) -> anyhow::Result<Vec<Line>> {
    let services = content::services(options.services, options.endpoints);
    eprintln!("writing {} services with {} endpoints", options.services, options.endpoints);
    world.offer_in_south(&services)?;
    offer(&world.west_objects, &services).await?;
    let imports = Imports::watch(world.east.client("admin").await?);
    export(world, &services).await?;
    imports.all_ready(services.iter().map(|service| service.name.as_str()), SETTLE).await?;
    let envoy = EnvoyView::new(world.envoy_admin(), Shown::WeightOfWest)?;
    for service in &services {
        envoy.until(service, service.ready(), SETTLE).await.context("the Envoy of east never had all")?;
    }
    world.written(SETTLE).await?;
    eprintln!("settled; measuring {} patches", options.samples);
    let mut lines = endpoints(world, &envoy, services, options.samples).await?;
    eprintln!("measuring {} exports, one after the other", options.samples);
    lines.extend(exports(world, &imports, options.samples).await?);
    if options.burst > 0 {
        eprintln!("measuring {} exports at once", options.burst);
        lines.extend(burst(world, &imports, options.burst).await?);
    }
    Ok(lines)
}

/// Writes services and their slices to `west`.
async fn offer(west: &Objects, services: &[Service]) -> anyhow::Result<()> {
    let write = |service: &Service| {
        let objects = [service.service(), service.slice()];
        let west = west.clone();
        async move {
            for object in objects {
                west.apply(object).await?;
            }
            anyhow::Ok(())
        }
    };
    stream::iter(services.iter().map(write)).buffer_unordered(AT_ONCE).try_collect().await
}

async fn export(world: &World, services: &[Service]) -> anyhow::Result<()> {
    let write = |service: &Service| {
        let (west, object) = (world.west_objects.clone(), service.export());
        async move { west.apply(object).await.map(drop) }
    };
    stream::iter(services.iter().map(write)).buffer_unordered(AT_ONCE).try_collect().await
}

async fn endpoints(
    world: &World,
    envoy: &EnvoyView,
    mut services: Vec<Service>,
    samples: usize,
) -> anyhow::Result<Vec<Line>> {
    let (written, arrived) = patches(&world.west_objects, envoy, &mut services, samples).await?;
    let [p50, p99, max] = figures(ENDPOINT_CASE, &arrived);
    let [write, ..] = figures("endpoint-write", &written);
    Ok(vec![p50.target(ENDPOINT.0), p99.target(ENDPOINT.1), max, write])
}

/// Patches one slice after the other. How long the PATCH took, and how long it took until the Envoy had it.
async fn patches(
    west: &Objects,
    envoy: &EnvoyView,
    services: &mut [Service],
    samples: usize,
) -> anyhow::Result<(Samples, Samples)> {
    let (mut written, mut arrived, mut failed) = (Samples::default(), Samples::default(), 0u32);
    for index in 0..samples {
        let count = services.len();
        let service = services.get_mut(index % count).context("no services")?;
        service.flip_one();
        let begun = Instant::now();
        let patch = json!({"endpoints": service.endpoints()});
        west.merge(Kind::ENDPOINT_SLICE, NAMESPACE, &service.slice_name(), patch).await?;
        written.add(begun.elapsed());
        tokio::time::sleep(UNDISTURBED).await;
        let seen = envoy.until(service, service.ready(), GIVE_UP).await;
        failed += u32::from(seen.is_err());
        arrived.add(seen.map_or(GIVE_UP, |at| at.saturating_duration_since(begun)));
    }
    report(failed);
    Ok((written, arrived))
}

async fn exports(world: &World, imports: &Imports, samples: usize) -> anyhow::Result<Vec<Line>> {
    let services = content::more("single", samples);
    offer(&world.west_objects, &services).await?;
    let (mut ready, mut failed) = (Samples::default(), 0u32);
    for service in &services {
        let begun = Instant::now();
        export(world, std::slice::from_ref(service)).await?;
        let seen = imports.ready(&service.name, GIVE_UP).await;
        failed += u32::from(seen.is_none());
        ready.add(seen.map_or(GIVE_UP, |at| at.saturating_duration_since(begun)));
    }
    report(failed);
    let [p50, p99, max] = figures("export", &ready);
    Ok(vec![p50, p99.target(EXPORT_P99), max])
}

async fn burst(world: &World, imports: &Imports, count: usize) -> anyhow::Result<Vec<Line>> {
    let services = content::more("burst", count);
    offer(&world.west_objects, &services).await?;
    let begun = Instant::now();
    export(world, &services).await?;
    let last = imports.all_ready(services.iter().map(|service| service.name.as_str()), SETTLE).await?;
    let took = last.saturating_duration_since(begun);
    let line = Line::lower("propagation-kubernetes", "burst", "settled", "ms", millis(took), count as u64);
    Ok(vec![line.target(BURST)])
}

fn report(failed: u32) {
    if failed > 0 {
        eprintln!("{failed} waits lasted {} s and count as so long", GIVE_UP.as_secs());
    }
}

fn figures(case: &str, samples: &Samples) -> [Line; 3] {
    [("p50", 50), ("p99", 99), ("max", 100)].map(|(metric, percent)| {
        let figure = samples.percentile(percent).map_or(f64::NAN, millis);
        Line::lower("propagation-kubernetes", case, metric, "ms", figure, samples.count())
    })
}
