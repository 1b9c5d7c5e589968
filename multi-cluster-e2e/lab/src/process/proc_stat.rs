//! What `/proc/<pid>/stat` says of a process (proc(5)).

use std::time::Duration;

/// Ticks per second of the times in `stat`: `USER_HZ`, 100 on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

/// One reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcStat {
    /// When it started, in ticks since boot: with the pid, names a process for ever.
    pub started: u64,
    /// Processor time used so far, user and system.
    pub cpu: Duration,
    /// Whether it has ended and only waits to be reaped.
    pub zombie: bool,
}

impl ProcStat {
    /// Reads one; `None` if there is no such process.
    pub fn read(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses and may itself hold any character, so everything is
    /// counted from the last parenthesis.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.trim().parse::<u64>().ok();
        let ticks = number(14)?.saturating_add(number(15)?);
        Some(Self {
            started: number(22)?,
            cpu: Duration::from_millis(ticks.saturating_mul(1000 / TICKS_PER_SECOND)),
            zombie: fields.first() == Some(&"Z"),
        })
    }
}

/// Resident memory of a process, in KiB (`VmRSS`).
pub fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Whether the process that had `pid` and began at `started` still runs.
pub fn is_alive(pid: u32, started: u64) -> bool {
    ProcStat::read(pid).is_some_and(|stat| stat.started == started && !stat.zombie)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_is_no_trap() {
        let stat = "42 (a) R (b)) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 4 0 98765 1000 200 18446744073709551615";
        let parsed = ProcStat::parse(stat).unwrap();
        assert_eq!(parsed, ProcStat { started: 98765, cpu: Duration::from_secs(2), zombie: false });
    }

    #[test]
    fn nonsense_is_no_process() {
        for text in ["", "42", "42 (x) S", "42 (x) S 1 2 3"] {
            assert_eq!(ProcStat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_very_process_is_alive_and_resident() {
        let me = std::process::id();
        let started = ProcStat::read(me).unwrap().started;
        assert!(is_alive(me, started) && !is_alive(me, started + 1));
        assert!(resident_kib(me).unwrap() > 0);
    }
}
