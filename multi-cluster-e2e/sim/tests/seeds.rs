//! Seeds, each in a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests fail by panicking, too")]

use std::process::Command;

use multi_cluster_e2e_sim::bugs;
use multi_cluster_e2e_sim::invariants::Property;
use multi_cluster_e2e_sim::run::Report;

/// Every seed holds, and what a planted bug breaks is found within as many.
const SEEDS: u64 = 200;

fn simulate(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_isthmus-sim")).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn one(seed: u64, bug: Option<&str>) -> Report {
    let seed = seed.to_string();
    let mut arguments = vec!["--json", "--seed", &seed];
    arguments.extend(bug.iter().flat_map(|word| ["--bug", word]));
    let (_, said) = simulate(&arguments);
    let report: Option<Report> = serde_json::from_str(&said).ok();
    report.expect("a report")
}

#[test]
fn what_the_federation_promises_holds_whatever_happens() {
    let (held, said) = simulate(&["--seeds", &SEEDS.to_string()]);
    assert!(held, "{said}");
    assert!(said.contains("everything held"), "{said}");
}

#[test]
fn a_seed_is_one_run_in_every_process() {
    let mut traces = Vec::new();
    for seed in 0..8 {
        let (first, second) = (one(seed, None), one(seed, None));
        assert!(first.events > 100, "seed {seed}: {} events", first.events);
        assert_eq!((first.trace, first.events), (second.trace, second.events), "seed {seed}");
        traces.push(first.trace);
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 8, "different seeds are different runs");
}

/// By which properties each bug must be noticed: one defect can show in several ways.
fn shows_as(word: &str) -> &'static [Property] {
    match word {
        "leader-acknowledges-early" | "followers-hear-early" => &[Property::OneLog, Property::Acknowledged],
        // openraft itself notices a log that went back, and panics.
        "follower-acknowledges-early" => &[Property::OneLog, Property::Acknowledged, Property::Sound],
        "vote-not-written" => &[Property::OneLog, Property::Acknowledged, Property::Starts, Property::Sound],
        // openraft itself, as above.
        "lost-data-takes-part" => &[Property::OneLog, Property::Acknowledged, Property::Sound],
        "no-fencing" => &[Property::Fencing],
        "vip-given-again" => &[Property::Vips, Property::Laws],
        "change-forgotten" => &[Property::Views],
        "no-scope" => &[Property::Scope],
        _ => &[],
    }
}

#[test]
fn every_planted_bug_is_found() {
    for (_, word) in bugs::ALL {
        let found = (0..SEEDS).find_map(|seed| {
            let violation = one(seed, Some(word)).violation?;
            shows_as(word).contains(&violation.property).then_some((seed, violation))
        });
        let (seed, violation) = found.unwrap_or_else(|| panic!("{word} was not found by {SEEDS} seeds"));
        println!("{word}: seed {seed}, {violation}");
    }
}
