//! One seed, from the start of its servers until everybody agrees again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use federation_raft::seams::Bug;
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::chance::Chance;
use crate::faults;
use crate::invariants::{Property, Violation};
use crate::members::{self, SPARES};
use crate::nature;
use crate::oracle::Oracle;
use crate::papers::Papers;
use crate::plan::Plan;
use crate::scene::Scene;
use crate::trace::Trace;
use crate::workload;

/// How often agreement is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Seconds of processor time that one seed may take. Most take less than one.
const BUSY: u64 = 60;
/// Seconds of real time. A run that waits for nothing uses no processor.
const IDLE: std::ffi::c_uint = 600;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Everything follows from it.
    pub seed: u64,
    /// What is wrong on purpose.
    pub bug: Option<Bug>,
    /// Print every event.
    pub aloud: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The hash of everything that happened.
    pub trace: u64,
    /// Events in it.
    pub events: u64,
    /// Virtual time.
    pub lasted: Duration,
    /// From the last fault until everybody knew the same.
    pub healed: Duration,
    /// Entries in the log.
    pub entries: u64,
    /// Acknowledged entries.
    pub acknowledged: u64,
    /// Views that agents were given.
    pub views: u64,
    /// Terms in which somebody led.
    pub elections: u64,
    /// Writes that crashes took from disks.
    pub lost_writes: u64,
    /// Messages between servers: sent, lost, repeated.
    pub messages: (u64, u64, u64),
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// What does not hold.
    pub violation: Option<Violation>,
    /// The last events, if something does not hold.
    pub last: Vec<String>,
}

/// Runs one seed. Only once in a process: chance and the date of the whole process are fixed by it.
///
/// # Errors
/// When the runtime, or the certificates, cannot be made.
pub fn run(order: Order) -> anyhow::Result<Report> {
    // A run that does not end would say nothing; these end the process, and that is a report.
    setrlimit(Resource::RLIMIT_CPU, BUSY, BUSY)?;
    nix::unistd::alarm::set(IDLE);
    nature::fix(order.seed);
    // Keys are made on another thread, so that what they draw moves nothing here.
    let plan = Plan::of(order.seed);
    let clusters = plan.clusters;
    let papers = std::thread::spawn(move || Papers::make(plan.servers + SPARES, clusters)).join();
    let papers = papers.map_err(|_| anyhow::anyhow!("the certificates could not be made"))??;
    nature::fix(order.seed);
    let played = std::thread::Builder::new().stack_size(16 << 20).spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let report = runtime.block_on(play(order, plan, papers));
        // Whatever still runs ends with the process.
        runtime.shutdown_background();
        anyhow::Ok(report)
    })?;
    played.join().map_err(|_| anyhow::anyhow!("the simulation itself panicked"))?
}

async fn play(order: Order, plan: Plan, papers: Papers) -> Report {
    let begun = Instant::now();
    let oracle = Oracle::new(Trace::new(order.aloud));
    let chance = Chance::of(order.seed);
    let scene = Scene::new(&plan, papers, chance.clone(), oracle.clone(), order.bug);
    let mut healed = Duration::ZERO;
    let (faults, bound) = (plan.faults.clone(), plan.bound());
    let story = async {
        scene.begin().await?;
        let busy = async {
            tokio::select! {
                never = workload::agents(&scene, plan.pace) => never,
                never = workload::operator(&scene) => never,
            }
        };
        let troubled = faults::all(&scene, &faults, plan.ends);
        tokio::select! {
            biased;
            _ = busy => {}
            done = troubled => done?,
        }
        let calm = Instant::now();
        scene.heal().await?;
        let converged = tokio::time::timeout(bound, async {
            loop {
                let Some(difference) = scene.difference() else { return };
                oracle.history().waits_for = difference;
                tokio::time::sleep(LOOK).await;
            }
        });
        if converged.await.is_err() {
            let difference = oracle.history().waits_for.clone();
            return Err(Violation::of(Property::Converges, format!("after {bound:?} still {difference}")));
        }
        healed = calm.elapsed();
        scene.the_end()
    };
    let mut panicked = panics();
    let violation = tokio::select! {
        biased;
        Ok(what) = panicked.wait_for(|what| !what.is_empty()) => {
            Some(Violation::of(Property::Sound, what.clone()))
        }
        violation = oracle.broken() => Some(violation),
        told = story => told.err(),
        changed = members::operator(&scene) => changed.err(),
    };
    let history = oracle.history();
    let messages = scene.net.counts();
    Report {
        seed: order.seed,
        trace: history.trace.hash(),
        events: history.trace.events(),
        lasted: begun.elapsed(),
        healed,
        entries: history.log.len() as u64,
        acknowledged: history.acknowledged.len() as u64,
        views: history.views,
        elections: history.leaders.len() as u64,
        lost_writes: scene.lost_writes(),
        messages: (messages.sent, messages.lost, messages.repeated),
        faults: faults.iter().fold(BTreeMap::new(), |mut all, (_, fault)| {
            *all.entry(fault.word().to_owned()).or_default() += 1;
            all
        }),
        last: violation.iter().flat_map(|_| history.trace.last().map(str::to_owned)).collect(),
        violation,
    }
}

/// What panicked first, in any task.
fn panics() -> watch::Receiver<String> {
    let (say, said) = watch::channel(String::new());
    std::panic::set_hook(Box::new(move |panic| {
        say.send_if_modified(|first| {
            let unset = first.is_empty();
            if unset {
                *first = panic.to_string();
            }
            unset
        });
    }));
    said
}

/// The command that runs the same again.
#[derive(Debug, Clone, Copy)]
pub struct Again(pub Order);

impl fmt::Display for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isthmus-sim --seed {}", self.0.seed)?;
        match self.0.bug {
            Some(bug) => write!(f, " --bug {}", crate::bugs::word(bug)),
            None => Ok(()),
        }
    }
}
