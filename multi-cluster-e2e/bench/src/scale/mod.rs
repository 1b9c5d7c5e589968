//! Many clusters at three real servers: how long a change takes, and what it costs.
//!
//! The servers are processes of a lab. The agents are clients of `federation-client`, with all of its streams over real
//! gRPC and mTLS, and all in this process: what is called an agent here is the part of one that talks to the
//! federation. Three things are measured, in this order:
//!
//! 1. *The first full sync*: the catalogue is filled, then all clients are dropped, and all begin anew at once, knowing nothing.
//! 2. *Changes*: at a steady pace some service of some cluster has other endpoints ready. A change begins when the desired
//!    set is handed to the client, and has arrived when the view of an importing cluster shows it, or shows what
//!    came after it. That is watched at so many importers ([`OBSERVERS`] at most, evenly spread); the others
//!    receive and build their views just the same. A change that does not arrive counts as long as was waited for it.
//! 3. *The leader's death*: kill -9, and then a change of every cluster at once.
//!
//! Bytes are what servers hand to their transport for watches, as they count it themselves: the messages with gRPC's
//! five bytes each, without HTTP/2 and TLS.
//!
//! Reading order: [`progress`] → [`member`] → [`fleet`] → [`changes`] → [`observer`] → [`usage`] → [`servers`] → this.

mod changes;
mod fleet;
mod member;
mod observer;
mod progress;
mod servers;
mod usage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use federation_client::admin_streams::StreamError;
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::process::proc_stat::{ProcStat, resident_kib};

use self::changes::Changes;
use self::fleet::Fleet;
use self::observer::Observers;
use self::servers::Servers;
use crate::line::Line;
use crate::samples::{Samples, millis};
use crate::servers::only_servers;

/// Importers that are watched, at most.
const OBSERVERS: usize = 25;
/// Promised: milliseconds until a change has arrived.
const TARGET_PROPAGATION: f64 = 100.0;
/// Promised: MB of each server.
const TARGET_SERVER: f64 = 512.0;
/// Promised: bytes sent for each change to each agent that imports it.
const TARGET_BYTES: f64 = 1024.0;
/// Promised: seconds until all agents that knew nothing know everything.
const TARGET_SYNC: f64 = 30.0;

/// Promised: what a server's disk holds is at most so many times the catalogue, and so many MB.
const TARGET_DISK: (f64, f64) = (3.0, 64.0);
/// Promised: memory does not grow. Said of runs that are long enough to tell.
const TARGET_GROWTH: (f64, u64) = (1.05, 600);

/// Promised: milliseconds from the leader's kill to the next commit.
const TARGET_COMMIT: f64 = 1_500.0;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many clusters.
    pub clusters: usize,
    /// Services that each of them exports, under names of its own.
    pub services: usize,
    /// Endpoints of each service.
    pub endpoints: u32,
    /// Changes a second, over all clusters.
    pub changes: u32,
    /// How long.
    pub seconds: u64,
    /// How many other clusters may import each service; none: all.
    pub scope: Option<usize>,
}

impl Options {
    fn case(&self) -> String {
        let scope = self.scope.map_or_else(String::new, |scope| format!(" to {scope}"));
        format!("{}x{}x{}{scope}", self.clusters, self.services, self.endpoints)
    }

    /// Other clusters that see each service.
    fn importers(&self) -> usize {
        let others = self.clusters.saturating_sub(1);
        self.scope.map_or(others, |scope| scope.min(others))
    }
}

/// Measures on a lab of its own.
///
/// # Errors
/// When it could not measure: a program is missing, or the clusters did not come to agree.
pub async fn measure(options: &Options) -> anyhow::Result<Vec<Line>> {
    ensure!(options.clusters >= 2, "--clusters must be at least 2");
    ensure!(options.services >= 1, "--services must be at least 1");
    ensure!(options.changes >= 1 && options.seconds >= 1, "--changes and --seconds must be at least 1");
    ensure!(options.endpoints >= 1, "--endpoints must be at least 1");
    let lab = only_servers().await?;
    let measured = tokio::select! {
        measured = run(&lab, options) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    lab.down().await?;
    measured
}

async fn run(lab: &Arc<Lab>, options: &Options) -> anyhow::Result<Vec<Line>> {
    let line =
        |metric, unit, figure, samples| Line::lower("scale", options.case(), metric, unit, figure, samples);
    let count = options.clusters as u64;
    let own_kib = resident_kib(std::process::id()).unwrap_or_default();

    let mut fleet = Fleet::join(lab, options).await?;
    eprintln!("filling the catalogue with {} services", options.clusters * options.services);
    let filling = Instant::now();
    fleet.start()?;
    fleet.complete().await?;
    let filled = filling.elapsed();
    eprintln!("stopping all clients, and starting them anew");
    fleet.stop().await;
    let syncing = Instant::now();
    fleet.start()?;
    fleet.complete().await?;
    let synced = syncing.elapsed();
    fleet.published().await?;

    eprintln!("{} changes a second for {} s", options.changes, options.seconds);
    let servers = Servers::of(lab)?;
    let changes = Arc::new(Changes::default());
    let observers = Observers::start(&fleet, &changes, options);
    let (sent, cpu) = (servers.sent(lab).await?, servers.cpu()?);
    let own_cpu = ProcStat::read(std::process::id()).map(|stat| stat.cpu).unwrap_or_default();
    let begun = Instant::now();
    let (made, pace) = changes.make(&fleet, options).await;
    let arrived = observers.finish().await?;
    let took = begun.elapsed();
    let busy = |cpu: Duration| 100.0 * cpu.as_secs_f64() / took.as_secs_f64();
    let cpu = servers.cpu()?.saturating_sub(cpu);
    let own_cpu = ProcStat::read(std::process::id()).map(|stat| stat.cpu).unwrap_or_default() - own_cpu;
    let sent = servers.sent(lab).await? - sent;
    let agents_kib = resident_kib(std::process::id()).unwrap_or_default().saturating_sub(own_kib);
    if arrived.lost > 0 {
        eprintln!("{} arrivals were waited for in vain, and count as long as that took", arrived.lost);
    }

    let used = servers.finish();
    let state = megabytes(backup(lab).await?);
    eprintln!("killing the leader");
    let (next, all) = fleet.survive_the_leader(lab).await?;

    let seen = &arrived.samples;
    let percentile = |metric, percent| line(metric, "ms", latency(seen, percent), seen.count());
    let deliveries = made.saturating_mul(options.importers() as u64);
    let mut lines = vec![
        line("fill", "s", filled.as_secs_f64(), count),
        line("first-sync", "s", synced.as_secs_f64(), count).target(TARGET_SYNC),
        Line::higher("scale", options.case(), "changes", "1/s", made as f64 / pace.as_secs_f64(), made),
        percentile("p50", 50),
        percentile("p99", 99).target(TARGET_PROPAGATION),
        percentile("max", 100),
        line("sent", "B", sent / deliveries as f64, deliveries).target(TARGET_BYTES),
    ];
    lines.push(line("state", "MB", state, 1));
    for (name, used) in used {
        let case = format!("{}, {name}", options.case());
        let line = |metric, unit, figure| Line::lower("scale", case.clone(), metric, unit, figure, 1);
        let (times, constant) = TARGET_DISK;
        lines.push(line("rss", "MB", megabytes(used.most() * 1024)).target(TARGET_SERVER));
        let (most, seconds) = TARGET_GROWTH;
        let growth = line("rss-growth", "x", used.growth());
        lines.push(if options.seconds >= seconds { growth.target(most) } else { growth });
        lines.push(line("disk", "MB", used.disk / 1e6).target(times * state + constant));
    }
    lines.extend([
        line("agent-rss", "MB", megabytes(agents_kib * 1024) / options.clusters as f64, count),
        line("server-cpu", "%", busy(cpu), 3),
        line("agents-cpu", "%", busy(own_cpu), count),
        line("next-commit", "ms", millis(next), 1).target(TARGET_COMMIT),
        line("all-commit", "ms", millis(all), count),
    ]);
    Ok(lines)
}

fn latency(samples: &Samples, percent: usize) -> f64 {
    samples.percentile(percent).map_or(f64::NAN, millis)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// How many bytes the whole catalogue is.
async fn backup(lab: &Lab) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let take = |piece: &[u8]| {
        bytes += piece.len() as u64;
        anyhow::Ok(())
    };
    match lab.operator()?.backup(take).await {
        Ok(()) => Ok(bytes),
        Err(StreamError::Client(error)) => Err(error.into()),
        Err(StreamError::Taker(error)) => Err(error),
    }
}
