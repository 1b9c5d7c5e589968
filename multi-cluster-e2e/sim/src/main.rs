//! `isthmus-sim`: the simulation from the command line. Each seed runs in a process of its own, so that whatever a process
//! counts begins anew with it.

mod many;

use std::process::ExitCode;

use clap::Parser;
use federation_raft::seams::Bug;
use multi_cluster_e2e_sim::bugs;
use multi_cluster_e2e_sim::run::{Again, Order, Report, run};

/// Runs the federation's servers and agents in a simulated world, and checks what they promise.
///
/// Examples:
///   isthmus-sim --seed 17               one seed again
///   isthmus-sim --seed 17 --aloud       with everything that happens
///   isthmus-sim --seeds 1000            the first thousand
///   isthmus-sim --seeds 50 --bug no-fencing
#[derive(Debug, Parser)]
#[command(name = "isthmus-sim", version, verbatim_doc_comment)]
struct Arguments {
    /// Run this seed, here.
    #[arg(long, conflicts_with = "seeds", required_unless_present = "seeds")]
    seed: Option<u64>,
    /// Run so many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Processes at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Plant a defect. What should hold is then expected to be broken.
    #[arg(long, value_parser = bug)]
    bug: Option<Bug>,
    /// Print every event.
    #[arg(long)]
    aloud: bool,
    /// Print what the programs log, at this level and above.
    #[arg(long)]
    log: Option<tracing_subscriber::filter::LevelFilter>,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

fn bug(word: &str) -> Result<Bug, String> {
    let all: Vec<&str> = bugs::ALL.iter().map(|(_, word)| *word).collect();
    bugs::named(word).ok_or_else(|| format!("is none of {}", all.join(", ")))
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(level) = arguments.log {
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
    }
    let bug = arguments.bug;
    let holds = match (arguments.seed, arguments.seeds) {
        (Some(seed), _) => {
            let order = Order { seed, bug, aloud: arguments.aloud };
            let report = run(order)?;
            if arguments.json {
                println!("{}", serde_json::to_string(&report)?);
            } else {
                one(order, &report);
            }
            report.violation.is_none()
        }
        (None, seeds) => many::run(arguments.first, seeds.unwrap_or_default(), arguments.jobs, bug)?,
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(order: Order, report: &Report) {
    for event in &report.last {
        println!("{event}");
    }
    println!(
        "seed {}: {} events, {:.1} s, {} entries, {} acknowledged, {} views, trace {:016x}",
        report.seed,
        report.events,
        report.lasted.as_secs_f64(),
        report.entries,
        report.acknowledged,
        report.views,
        report.trace
    );
    match &report.violation {
        Some(violation) => println!("BROKEN {violation}\n{}", Again(order)),
        None => println!("everybody agreed {:.1} s after the last fault", report.healed.as_secs_f64()),
    }
}
