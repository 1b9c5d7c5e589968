//! Many seeds, each in its own process, and what they came to together.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use federation_raft::seams::Bug;
use multi_cluster_e2e_sim::bugs;
use multi_cluster_e2e_sim::invariants::{Property, Violation};
use multi_cluster_e2e_sim::run::{Again, Order, Report};

/// Seeds between two lines of progress.
const PROGRESS: u64 = 500;

/// What was seen so far.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    virtual_time: Duration,
    longest_heal: Duration,
    events: u64,
    entries: u64,
    acknowledged: u64,
    views: u64,
    elections: u64,
    lost_writes: u64,
    messages: (u64, u64, u64),
    faults: BTreeMap<String, u64>,
    broken: BTreeMap<Property, u64>,
}

/// Runs `count` seeds from `first` on, `jobs` at a time; whether everything held.
pub(crate) fn run(first: u64, count: u64, jobs: usize, bug: Option<Bug>) -> anyhow::Result<bool> {
    let (next, sum, begun) = (AtomicU64::new(first), Mutex::new(Sum::default()), Instant::now());
    let program = std::env::current_exe()?;
    let work = || -> anyhow::Result<()> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(count) {
                return Ok(());
            }
            let report = child(&program, seed, bug)?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(&report, Order { seed, bug, aloud: false });
            if sum.seeds.is_multiple_of(PROGRESS) {
                println!("{} of {count} seeds, {:.0} s", sum.seeds, begun.elapsed().as_secs_f64());
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => Err(anyhow::anyhow!("a worker panicked")),
        })
    })?;
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.print(begun.elapsed());
    Ok(sum.broken.is_empty())
}

/// One seed in a process of its own. What ends it without a report is a violation too.
fn child(program: &std::path::Path, seed: u64, bug: Option<Bug>) -> anyhow::Result<Report> {
    let mut command = Command::new(program);
    command.args(["--json", "--seed", &seed.to_string()]).stdin(Stdio::null());
    if let Some(bug) = bug {
        command.args(["--bug", bugs::word(bug)]);
    }
    let output = command.output()?;
    Ok(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("the process ended with {}: {}", output.status, said.trim());
        Report { seed, violation: Some(Violation::of(Property::Sound, what)), ..Report::default() }
    }))
}

impl Sum {
    fn add(&mut self, report: &Report, order: Order) {
        self.seeds += 1;
        self.virtual_time += report.lasted;
        self.longest_heal = self.longest_heal.max(report.healed);
        self.events += report.events;
        self.entries += report.entries;
        self.acknowledged += report.acknowledged;
        self.views += report.views;
        self.elections += report.elections;
        self.lost_writes += report.lost_writes;
        let ((sent, lost, repeated), more) = (self.messages, report.messages);
        self.messages = (sent + more.0, lost + more.1, repeated + more.2);
        for (fault, times) in &report.faults {
            *self.faults.entry(fault.clone()).or_default() += times;
        }
        if let Some(violation) = &report.violation {
            *self.broken.entry(violation.property).or_default() += 1;
            println!("{}    # {violation}", Again(order));
        }
    }

    fn print(&self, took: Duration) {
        let (sent, lost, repeated) = self.messages;
        println!(
            "{} seeds: {:.1} h of virtual time in {:.0} s",
            self.seeds,
            self.virtual_time.as_secs_f64() / 3_600.0,
            took.as_secs_f64()
        );
        println!(
            "{} entries, {} of them acknowledged to somebody; {} views; {} times somebody began to lead; {} events",
            self.entries, self.acknowledged, self.views, self.elections, self.events
        );
        println!("messages between servers: {sent} sent, {lost} lost, {repeated} repeated");
        println!("writes that crashes took from disks: {}", self.lost_writes);
        let faults: Vec<String> =
            self.faults.iter().map(|(fault, times)| format!("{fault} {times}")).collect();
        println!("faults: {}", faults.join(", "));
        println!(
            "longest from the last fault until everybody agreed: {:.1} s",
            self.longest_heal.as_secs_f64()
        );
        if self.broken.is_empty() {
            println!("everything held");
        }
        for (property, times) in &self.broken {
            println!("BROKEN {}: {times} seeds", property.word());
        }
    }
}
