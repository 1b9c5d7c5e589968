//! Many rounds, and what came of them.

use std::collections::BTreeMap;
use std::time::Duration;

use multi_cluster_e2e_history::{Counts, History};
use serde::Serialize;

use crate::fault::{self, Kind};
use crate::federation::{Federation, Plan};
use crate::round;

/// What to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many rounds.
    pub rounds: u64,
    /// Of the faults. The same seed gives the same faults; what the processes do about them is theirs.
    pub seed: u64,
    /// The federation.
    pub plan: Plan,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// The seed of the faults.
    pub seed: u64,
    /// Servers.
    pub servers: u64,
    /// Rounds that were carried out.
    pub rounds: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<Kind, u64>,
    /// What was recorded.
    pub counts: Counts,
    /// The longest time between two acknowledged writes of anybody, in milliseconds.
    pub longest_silence_millis: u64,
    /// What cannot be, in words; or why it could not go on.
    pub violations: Vec<String>,
}

/// Carries out the rounds until the first that goes wrong. Also gives back everything that was recorded.
///
/// # Errors
/// If the federation cannot be started, or not be removed. Whatever goes wrong in a round is in the outcome.
pub async fn run(options: &Options, say: impl Fn(&str)) -> anyhow::Result<(Outcome, History)> {
    let mut federation = Federation::up(&options.plan).await?;
    let outcome = rounds(&mut federation, options, say).await;
    let history = federation.recorder.history();
    federation.down().await?;
    Ok((outcome, history))
}

async fn rounds(federation: &mut Federation, options: &Options, say: impl Fn(&str)) -> Outcome {
    let mut outcome = Outcome {
        seed: options.seed,
        servers: options.plan.servers,
        rounds: 0,
        faults: BTreeMap::new(),
        counts: Counts::default(),
        longest_silence_millis: 0,
        violations: Vec::new(),
    };
    for number in 1..=options.rounds {
        let plan = fault::plan(options.seed, number, options.plan.servers, federation.agents());
        for planned in &plan {
            *outcome.faults.entry(planned.fault.kind(options.plan.servers)).or_default() += 1;
        }
        let ran = round::run(federation, number, &plan).await;
        outcome.rounds = number;
        outcome.longest_silence_millis = millis(federation.recorder.longest_silence());
        match ran {
            Ok(report) => {
                outcome.counts = report.counts;
                outcome.violations = report.violations.iter().map(ToString::to_string).collect();
            }
            Err(error) => {
                let logs = federation.servers.ids().into_iter().map(|id| {
                    format!("the end of the log of server {id}:\n{}", federation.servers.log_tail(id))
                });
                outcome.violations = std::iter::once(format!("{error:#}")).chain(logs).collect();
            }
        }
        let faults: Vec<String> = plan.iter().map(|planned| planned.fault.to_string()).collect();
        say(&format!(
            "round {number}: {}; {} writes acknowledged, {} watch events, {} violations",
            faults.join(", "),
            outcome.counts.acknowledged,
            outcome.counts.watch_events,
            outcome.violations.len()
        ));
        if !outcome.violations.is_empty() {
            break;
        }
    }
    outcome
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
