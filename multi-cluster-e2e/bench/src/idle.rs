//! What a lab costs that nobody uses: processor time over a window, and memory at its end, by kind of process.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use multi_cluster_e2e_lab::lab::Lab;
use multi_cluster_e2e_lab::plan::LabSpec;
use multi_cluster_e2e_lab::ports::PortChoice;
use multi_cluster_e2e_lab::process::proc_stat::{ProcStat, resident_kib};

use crate::line::Line;

/// Promised of the whole lab, in percent of one core.
const TARGET_CPU: f64 = 3.0;
/// Promised of the whole lab, in MB.
const TARGET_RSS: f64 = 400.0;

#[derive(Debug, Default, Clone, Copy)]
struct Cost {
    processes: u64,
    cpu: Duration,
    resident_kib: u64,
}

/// Watches a lab of three servers and three clusters for so many seconds.
pub async fn measure(seconds: u64) -> anyhow::Result<Vec<Line>> {
    ensure!(seconds > 0, "--seconds must be at least 1");
    let lab = Lab::temporary(LabSpec { ports: PortChoice::Random, ..LabSpec::default() }).await?;
    let measured = tokio::select! {
        measured = watch(&lab, Duration::from_secs(seconds)) => measured,
        interrupted = tokio::signal::ctrl_c() => Err(interrupted.map_or_else(Into::into, |()| anyhow::anyhow!("interrupted"))),
    };
    lab.down().await?;
    let (window, costs) = measured?;
    let mut lines = Vec::new();
    for (kind, cost) in &costs {
        let percent = 100.0 * cost.cpu.as_secs_f64() / window.as_secs_f64();
        // Of a few hundred megabytes no digit is lost.
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
        let megabytes = cost.resident_kib as f64 * 1024.0 / 1e6;
        let mut cpu = Line::lower("idle", *kind, "cpu", "%", percent, cost.processes);
        let mut rss = Line::lower("idle", *kind, "rss", "MB", megabytes, cost.processes);
        if *kind == ALL {
            cpu = cpu.target(TARGET_CPU);
            rss = rss.target(TARGET_RSS);
        }
        lines.extend([cpu, rss]);
    }
    Ok(lines)
}

/// The case that all processes are in.
const ALL: &str = "all";

async fn watch(lab: &Lab, window: Duration) -> anyhow::Result<(Duration, BTreeMap<&'static str, Cost>)> {
    let before = readings(lab)?;
    let began = Instant::now();
    tokio::time::sleep(window).await;
    let after = readings(lab)?;
    let took = began.elapsed();
    let mut costs: BTreeMap<&'static str, Cost> = BTreeMap::new();
    for (name, (pid, cpu)) in after {
        let (_, earlier) = before.get(&name).with_context(|| format!("{name} was started meanwhile"))?;
        let resident = resident_kib(pid).with_context(|| format!("{name} ended meanwhile"))?;
        for kind in [kind(&name), ALL] {
            let cost = costs.entry(kind).or_default();
            cost.processes += 1;
            cost.cpu += cpu.saturating_sub(*earlier);
            cost.resident_kib += resident;
        }
    }
    Ok((took, costs))
}

fn readings(lab: &Lab) -> anyhow::Result<BTreeMap<String, (u32, Duration)>> {
    let read = |(name, status): (String, multi_cluster_e2e_lab::process::Status)| {
        let pid = status.pid().with_context(|| format!("{name} does not run"))?;
        let stat = ProcStat::read(pid).with_context(|| format!("{name} has ended"))?;
        Ok((name, (pid, stat.cpu)))
    };
    lab.processes().into_iter().map(read).collect()
}

fn kind(name: &str) -> &'static str {
    match name {
        _ if name.starts_with("server-") => "servers",
        _ if name.ends_with("-agent") => "agents",
        _ if name.ends_with("-gateway") => "gateways",
        _ => "backends",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_process_has_a_kind() {
        let kinds = ["server-1", "east-agent", "west-gateway", "west-echo-1"].map(kind);
        assert_eq!(kinds, ["servers", "agents", "gateways", "backends"]);
    }
}
