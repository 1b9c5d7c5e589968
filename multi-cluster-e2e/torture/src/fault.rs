//! What is done to the federation, decided by a seed before it is done.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use serde::Serialize;

/// What becomes of traffic in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// It passes.
    Open,
    /// It is kept, as packets are that get lost until they are sent again: nobody is told, and it arrives in the end.
    Held,
    /// Connections are reset, and new ones refused.
    Refused,
    /// Each piece of it arrives later.
    Slow(Duration),
}

/// Which way between the servers of a minority and the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Neither hears the other.
    Both,
    /// The minority is not heard.
    Out,
    /// The minority hears nothing.
    In,
}

/// One fault. Servers are numbered from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// `kill -9`; they are started again when the fault ends.
    Kill(BTreeSet<u64>),
    /// SIGTERM, and started again at once.
    Restart(u64),
    /// SIGSTOP; SIGCONT when the fault ends.
    Pause(BTreeSet<u64>),
    /// Some servers are cut off from the others.
    Split {
        /// Who.
        minority: BTreeSet<u64>,
        /// How.
        traffic: Traffic,
        /// In which direction.
        way: Way,
    },
    /// Clients cannot talk to a server, which goes on talking to the others.
    CutClients {
        /// Which server.
        server: u64,
        /// How.
        traffic: Traffic,
    },
    /// An agent dies without a word, and another takes over with nothing but its cluster's objects.
    KillAgent(usize),
}

/// The kinds of faults, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `kill -9` of one server.
    KillOne,
    /// Of several, but not of all.
    KillSome,
    /// Of all at once.
    KillAll,
    /// SIGTERM and start.
    Restart,
    /// SIGSTOP and SIGCONT.
    Pause,
    /// A partition in both directions.
    Split,
    /// A partition in one direction.
    SplitOneWay,
    /// Slow links.
    Slow,
    /// Clients cut off.
    CutClients,
    /// An agent killed.
    KillAgent,
}

impl Fault {
    /// Its kind, in a federation of so many servers.
    pub fn kind(&self, servers: u64) -> Kind {
        match self {
            Self::Kill(killed) if killed.len() as u64 == servers => Kind::KillAll,
            Self::Kill(killed) if killed.len() > 1 => Kind::KillSome,
            Self::Kill(_) => Kind::KillOne,
            Self::Restart(_) => Kind::Restart,
            Self::Pause(_) => Kind::Pause,
            Self::Split { traffic: Traffic::Slow(_), .. } => Kind::Slow,
            Self::Split { way: Way::Both, .. } => Kind::Split,
            Self::Split { .. } => Kind::SplitOneWay,
            Self::CutClients { .. } => Kind::CutClients,
            Self::KillAgent(_) => Kind::KillAgent,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(servers) => write!(f, "kill -9 of {servers:?}"),
            Self::Restart(server) => write!(f, "restart of {server}"),
            Self::Pause(servers) => write!(f, "stop of {servers:?}"),
            Self::Split { minority, traffic, way } => {
                write!(f, "{minority:?} cut off ({traffic:?}, {way:?})")
            }
            Self::CutClients { server, traffic } => write!(f, "clients cut off from {server} ({traffic:?})"),
            Self::KillAgent(agent) => write!(f, "kill of agent {agent}"),
        }
    }
}

/// A fault in its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// When it begins, after the beginning of the round.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// What.
    pub fault: Fault,
}

/// The faults of one round, in the order of their beginnings. The same numbers give the same plan for ever.
pub fn plan(seed: u64, round: u64, servers: u64, agents: usize) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(round));
    let count = random.random_range(1..=3);
    let mut planned: Vec<Planned> = (0..count)
        .map(|_| Planned {
            after: Duration::from_millis(random.random_range(0..1_500)),
            lasts: Duration::from_millis(random.random_range(200..3_500)),
            fault: fault(&mut random, servers, agents),
        })
        .collect();
    planned.sort_by_key(|planned| planned.after);
    planned
}

fn fault(random: &mut StdRng, servers: u64, agents: usize) -> Fault {
    let one = random.random_range(1..=servers);
    match random.random_range(0..20) {
        0..=4 => Fault::Kill([one].into()),
        5 => Fault::Kill(some(random, servers)),
        6..=7 => Fault::Kill((1..=servers).collect()),
        8 => Fault::Restart(one),
        9..=11 => Fault::Pause(some(random, servers)),
        12..=14 => Fault::Split { minority: some(random, servers), traffic: cut(random), way: Way::Both },
        15..=16 => {
            let way = [Way::Out, Way::In].choose(random).copied().unwrap_or(Way::Out);
            Fault::Split { minority: some(random, servers), traffic: Traffic::Held, way }
        }
        17 => {
            let slow = Traffic::Slow(Duration::from_millis(random.random_range(20..400)));
            Fault::Split { minority: some(random, servers), traffic: slow, way: Way::Both }
        }
        18 => Fault::CutClients { server: one, traffic: cut(random) },
        _ => Fault::KillAgent(random.random_range(0..agents.max(1))),
    }
}

fn cut(random: &mut StdRng) -> Traffic {
    if random.random() { Traffic::Held } else { Traffic::Refused }
}

/// At least one server, and not all.
fn some(random: &mut StdRng, servers: u64) -> BTreeSet<u64> {
    let mut all: Vec<u64> = (1..=servers).collect();
    all.shuffle(random);
    let count = random.random_range(1..=usize::try_from(servers / 2).unwrap_or(1).max(1));
    all.into_iter().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan_and_another_one_another() {
        assert_eq!(plan(7, 3, 3, 4), plan(7, 3, 3, 4));
        let different = (0..10).filter(|round| plan(7, *round, 3, 4) != plan(8, *round, 3, 4)).count();
        assert_eq!(different, 10);
    }

    #[test]
    fn a_hundred_rounds_hold_every_kind_of_fault() {
        for servers in [3, 5] {
            let all = (0..100).flat_map(|round| plan(1, round, servers, 4));
            let kinds: BTreeSet<Kind> = all.map(|planned| planned.fault.kind(servers)).collect();
            let expected = if servers == 3 { 9 } else { 10 };
            assert_eq!(kinds.len(), expected, "{servers} servers: {kinds:?}");
        }
    }

    #[test]
    fn a_cut_leaves_somebody_on_either_side() {
        for planned in (0..200).flat_map(|round| plan(2, round, 5, 4)) {
            if let Fault::Split { minority, .. } | Fault::Pause(minority) = planned.fault {
                assert!((1..=2).contains(&minority.len()), "{minority:?}");
            }
        }
    }
}
