//! `isthmus-torture`: real servers under attack, and a check of what their clients were told.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use multi_cluster_e2e_history::{Counts, History, check};
use multi_cluster_e2e_torture::federation::Plan;
use multi_cluster_e2e_torture::outcome::{self, Options, Outcome};

/// Kills, stops and cuts off real federation servers at random while clients publish and watch, and checks everything
/// that the clients were told.
#[derive(Debug, Parser)]
#[command(name = "isthmus-torture", version, after_help = EXAMPLES)]
struct Arguments {
    /// How many rounds of faults.
    #[arg(long, default_value_t = 10)]
    rounds: u64,
    /// Decides the faults; a random one if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// How many servers.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=9))]
    servers: u64,
    /// How many clusters publish and watch.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    clusters: u16,
    /// How many services each of them exports.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    services: u16,
    /// Where the history goes if something is wrong with it; default: torture-SEED.jsonl.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Only check a history that was written before.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rounds", "seed", "history"])]
    check: Option<PathBuf>,
    /// How the outcome is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  isthmus-torture --rounds 100                 a hundred rounds on three servers
  isthmus-torture --servers 5 --seed 7         the faults of seed 7, on five servers
  isthmus-torture --check torture-7.jsonl      the history that a failed run left, once more

Exit codes: 0 nothing is wrong; 1 something is, or it could not be run; 2 the command line is wrong.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs: one JSON object.
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("isthmus-torture: {error:#}");
            ExitCode::from(1)
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(path) = &arguments.check {
        return check_file(path, arguments.output);
    }
    let seed = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let plan = Plan {
        servers: arguments.servers,
        clusters: usize::from(arguments.clusters),
        services: usize::from(arguments.services),
        ..Plan::default()
    };
    let options = Options { rounds: arguments.rounds, seed, plan };
    eprintln!("isthmus-torture: seed {seed}");
    let rounds = outcome::run(&options, |line| eprintln!("isthmus-torture: {line}"));
    let (outcome, history) = tokio::select! {
        done = rounds => done?,
        // The servers end with this process: their warden sees to it.
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            anyhow::bail!("interrupted");
        }
    };
    if outcome.violations.is_empty() {
        print_outcome(&outcome, arguments.output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let path = arguments.history.unwrap_or_else(|| PathBuf::from(format!("torture-{seed}.jsonl")));
    std::fs::write(&path, history.to_lines()?).with_context(|| format!("cannot write {}", path.display()))?;
    print_outcome(&outcome, arguments.output)?;
    eprintln!(
        "isthmus-torture: something is wrong; the faults again: --seed {seed} --servers {} --rounds {}; the history again: --check {}",
        outcome.servers,
        outcome.rounds,
        path.display()
    );
    Ok(ExitCode::from(1))
}

fn check_file(path: &Path, output: Output) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let report = check(&History::from_lines(&text)?);
    let violations: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    match output {
        Output::Json => {
            println!("{}", serde_json::json!({ "counts": report.counts, "violations": violations }));
        }
        Output::Table => print_table(&[], &report.counts, &violations),
    }
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print_outcome(outcome: &Outcome, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Json => println!("{}", serde_json::to_string(outcome)?),
        Output::Table => {
            let mut rows = vec![("rounds".to_owned(), outcome.rounds)];
            for (kind, count) in &outcome.faults {
                let kind = serde_json::to_value(kind)?;
                rows.push((format!("faults: {}", kind.as_str().unwrap_or_default()), *count));
            }
            rows.push(("longest time without a write, ms".to_owned(), outcome.longest_silence_millis));
            print_table(&rows, &outcome.counts, &outcome.violations);
        }
    }
    Ok(())
}

fn print_table(rows: &[(String, u64)], counts: &Counts, violations: &[String]) {
    for (name, value) in rows {
        println!("{name:<36}{value:>12}");
    }
    let counts = [
        ("writes proposed", counts.proposed),
        ("writes acknowledged", counts.acknowledged),
        ("watch events", counts.watch_events),
        ("views compared", counts.points),
        ("snapshots sent", counts.snapshots),
        ("violations", violations.len()),
    ];
    for (name, value) in counts {
        println!("{name:<36}{value:>12}");
    }
    for violation in violations {
        println!("{violation}");
    }
}
