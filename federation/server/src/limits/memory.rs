//! What this server has left: above its limit it takes nothing new, so that what it serves already goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use super::{Exceeded, Quota};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);
const SELF: &str = "/proc/self/status";

/// The memory of this process, as it was last seen. Clones are the same.
#[derive(Debug, Clone)]
pub struct Memory {
    limit: Option<u64>,
    /// Resident, in bytes.
    resident: Gauge<u64, AtomicU64>,
    pressure: Gauge,
    seen: Arc<AtomicU64>,
}

impl Memory {
    /// With so many bytes as limit. `resident` shows what is used, `pressure` is 1 while it is too much.
    #[must_use]
    pub fn new(limit: Option<u64>, resident: Gauge<u64, AtomicU64>, pressure: Gauge) -> Self {
        Self { limit, resident, pressure, seen: Arc::default() }
    }

    /// Whether something new may be taken.
    ///
    /// # Errors
    /// When this server uses more than it should.
    pub fn admit(&self) -> Result<(), Exceeded> {
        let present = self.seen.load(Ordering::Relaxed);
        match self.limit {
            Some(limit) if present > limit => Err(Exceeded { quota: Quota::Memory, limit, present }),
            _ => Ok(()),
        }
    }

    /// Notes what is used.
    pub fn note(&self, resident: u64) {
        let before = self.admit().is_ok();
        self.seen.store(resident, Ordering::Relaxed);
        self.resident.set(resident);
        let now = self.admit();
        self.pressure.set(i64::from(now.is_err()));
        match now {
            Err(Exceeded { limit, present, .. }) if before => {
                tracing::warn!(limit, present, "over the memory limit, nothing new is taken");
            }
            Ok(()) if !before => tracing::info!(resident, "under the memory limit again"),
            _ => {}
        }
    }

    /// Looks again and again, for ever.
    pub async fn watch(self) {
        loop {
            match tokio::fs::read_to_string(SELF).await.ok().as_deref().and_then(resident) {
                Some(bytes) => self.note(bytes),
                None => tracing::debug!(path = SELF, "memory in use cannot be read"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// `VmRSS` of proc_pid_status(5), in bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read() {
        let cases = [
            ("Name:\tx\nVmRSS:\t   12345 kB\nRssAnon: 1 kB\n", Some(12_345 * 1_024)),
            ("Name:\tx\n", None),
            ("VmRSS: kB", None),
            ("VmRSS: 18446744073709551615 kB", None),
        ];
        for (status, expected) in cases {
            assert_eq!(resident(status), expected, "{status}");
        }
        assert!(resident(&std::fs::read_to_string(SELF).unwrap()).is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn nothing_new_is_taken_above_the_limit_only() {
        let memory = Memory::new(Some(100), Gauge::default(), Gauge::default());
        assert_eq!(memory.admit(), Ok(()));
        memory.note(101);
        assert_eq!(memory.admit(), Err(Exceeded { quota: Quota::Memory, limit: 100, present: 101 }));
        assert_eq!(memory.pressure.get(), 1);
        memory.note(100);
        assert_eq!((memory.admit(), memory.pressure.get()), (Ok(()), 0));
        let unlimited = Memory::new(None, Gauge::default(), Gauge::default());
        unlimited.note(u64::MAX);
        assert_eq!(unlimited.admit(), Ok(()));
    }
}
