//! From a seed to a run: who takes part, and what goes wrong when.

use std::time::Duration;

use crate::chance::Chance;
use crate::members::{Change, SPARES};

/// Something that goes wrong. Servers and clusters are counted from zero, servers among those that there are then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A server crashes, and starts again after a while.
    Crash {
        /// Which.
        server: usize,
        /// How long it is down.
        down: Duration,
    },
    /// Whoever leads crashes.
    CrashLeader {
        /// How long it is down.
        down: Duration,
    },
    /// All servers crash at once.
    CrashAll {
        /// How long they are down.
        down: Duration,
    },
    /// Aimed at what a leader has not flushed: its disk is slow and a minority does not hear from it; then all others
    /// crash, and it comes back at once, to that minority.
    Squeeze {
        /// How long it leads like this.
        lasts: Duration,
        /// How long the others are down.
        down: Duration,
    },
    /// Some servers and some clusters cannot reach the others, in either direction.
    Partition {
        /// The servers on one side, as bits.
        servers: u64,
        /// The clusters on that side, as bits.
        clusters: u64,
        /// How long.
        lasts: Duration,
    },
    /// Nothing gets from one server to another; the other direction works.
    OneWay {
        /// From which.
        from: usize,
        /// To which.
        to: usize,
        /// How long.
        lasts: Duration,
    },
    /// Messages between servers are lost, repeated, late, and overtake each other.
    Storm {
        /// Of a thousand.
        lost: u64,
        /// Of a thousand.
        repeated: u64,
        /// Longest way, in milliseconds.
        slow: u64,
        /// How long.
        lasts: Duration,
    },
    /// A server's disk flushes slowly.
    SlowDisk {
        /// Which.
        server: usize,
        /// How long.
        lasts: Duration,
    },
    /// A server's disk has no room.
    FullDisk {
        /// Which.
        server: usize,
        /// How long.
        lasts: Duration,
    },
    /// A server's clock jumps.
    Jump {
        /// Which.
        server: usize,
        /// By so many milliseconds.
        millis: i64,
    },
    /// A second agent of a cluster starts, while the first goes on.
    Rival {
        /// Of which.
        cluster: usize,
    },
    /// The operator changes who the servers are.
    Members(Change),
    /// The agents of a cluster are killed, and one starts anew.
    AgentKilled {
        /// Of which.
        cluster: usize,
    },
}

impl Fault {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Crash { .. } => "crash",
            Self::CrashLeader { .. } => "leader-crash",
            Self::CrashAll { .. } => "crash-of-all",
            Self::Squeeze { .. } => "squeeze",
            Self::Partition { .. } => "partition",
            Self::OneWay { .. } => "one-way-cut",
            Self::Storm { .. } => "storm",
            Self::SlowDisk { .. } => "slow-disk",
            Self::FullDisk { .. } => "full-disk",
            Self::Jump { .. } => "clock-jump",
            Self::Rival { .. } => "rival-agent",
            Self::AgentKilled { .. } => "agent-killed",
            Self::Members(Change::Add) => "server-added",
            Self::Members(Change::Replace(_)) => "disk-lost",
            Self::Members(Change::Remove(_)) => "server-removed",
            Self::Members(Change::Transfer) => "leader-handed-over",
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Servers: three or five.
    pub servers: usize,
    /// Clusters: two to four.
    pub clusters: usize,
    /// Entries between snapshots.
    pub snapshot_every: u64,
    /// Changes that a server keeps for watchers.
    pub changes: usize,
    /// Shortest and longest pause between two changes of what is published, in milliseconds.
    pub pace: (u64, u64),
    /// What goes wrong, with the time since the start; in order.
    pub faults: Vec<(Duration, Fault)>,
    /// When everything heals.
    pub ends: Duration,
}

/// How long it may take after the last fault until everybody knows the same, in virtual time, while clocks agree. A lease of
/// an agent that was killed must run out first (10 s, and as much again where the leader is new), and a client waits up
/// to 5 s between two attempts.
const BOUND: Duration = Duration::from_secs(90);

impl Plan {
    /// The run of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        // Not the generator of the run itself: what happens there must not change what was planned.
        let chance = Chance::of(seed ^ 0x706c_616e);
        let servers = if chance.permille(250) { 5 } else { 3 };
        let clusters = size(chance.number(2, 4));
        let ends = chance.millis(15_000, 30_000);
        let mut faults = Vec::new();
        let mut at = chance.millis(1_500, 4_000);
        while at < ends {
            faults.push((at, fault(&chance, servers, clusters)));
            at += chance.millis(100, 5_000);
        }
        let slowest = chance.pick(&[100, 400, 1_500]).unwrap_or(400);
        Self {
            servers,
            clusters,
            snapshot_every: chance.pick(&[20, 60, 200, 5_000]).unwrap_or(200),
            changes: size(chance.pick(&[10, 60, 65_536]).unwrap_or(60)),
            pace: (5, slowest),
            faults,
            ends,
        }
    }
}

impl Plan {
    /// How long it may take after the last fault until everybody knows the same, in virtual time. A lease that was taken
    /// by a clock that is ahead is held for as much longer.
    #[must_use]
    pub fn bound(&self) -> Duration {
        let jumps = self.faults.iter().filter_map(|(_, fault)| match fault {
            Fault::Jump { millis, .. } => Some(Duration::from_millis(millis.unsigned_abs())),
            _ => None,
        });
        BOUND + jumps.sum::<Duration>()
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn fault(chance: &Chance, servers: usize, clusters: usize) -> Fault {
    let server = || size(chance.number(0, servers as u64 - 1));
    let cluster = || size(chance.number(0, clusters as u64 - 1));
    let down = || chance.millis(1, 6_000);
    let lasts = || chance.millis(200, 9_000);
    match chance.number(0, 99) {
        0..=14 => Fault::Crash { server: server(), down: down() },
        15..=22 => Fault::CrashLeader { down: down() },
        23..=27 => Fault::CrashAll { down: down() },
        28..=41 => Fault::Partition {
            servers: chance.number(1, (1 << (servers + SPARES)) - 1),
            clusters: chance.number(0, (1 << clusters) - 1),
            lasts: lasts(),
        },
        42..=50 => {
            let from = server();
            let to = (from + size(chance.number(1, servers as u64 - 1))) % servers;
            Fault::OneWay { from, to, lasts: lasts() }
        }
        51..=59 => Fault::Storm {
            lost: chance.number(0, 400),
            repeated: chance.number(0, 300),
            slow: chance.number(1, 800),
            lasts: lasts(),
        },
        60..=66 => Fault::SlowDisk { server: server(), lasts: lasts() },
        67..=69 => Fault::FullDisk { server: server(), lasts: lasts() },
        70..=75 => {
            let millis = i64::try_from(chance.number(1, 20_000)).unwrap_or_default();
            Fault::Jump { server: server(), millis: if chance.permille(500) { millis } else { -millis } }
        }
        76..=80 => Fault::Squeeze { lasts: chance.millis(100, 1_500), down: chance.millis(4_000, 9_000) },
        81..=84 => Fault::Rival { cluster: cluster() },
        85..=87 => Fault::AgentKilled { cluster: cluster() },
        88..=91 => Fault::Members(Change::Add),
        92..=94 => Fault::Members(Change::Replace(server())),
        95..=96 => Fault::Members(Change::Remove(server())),
        _ => Fault::Members(Change::Transfer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_plans_differ() {
        assert_eq!(Plan::of(7), Plan::of(7));
        assert_ne!(Plan::of(7), Plan::of(8));
        for seed in 0..200 {
            let plan = Plan::of(seed);
            assert!(plan.faults.iter().all(|(at, _)| *at < plan.ends), "{plan:?}");
            for (_, fault) in &plan.faults {
                if let Fault::OneWay { from, to, .. } = fault {
                    assert!(from != to && *from < plan.servers && *to < plan.servers, "{fault:?}");
                }
            }
        }
    }

    #[test]
    fn every_fault_is_planned_by_some_seed() {
        let mut words: Vec<_> =
            (0..100).flat_map(|seed| Plan::of(seed).faults).map(|(_, fault)| fault.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 16, "{words:?}");
    }
}
