//! What a server used while it was watched.

/// Readings of one server.
#[derive(Debug, Default)]
pub(super) struct Usage {
    /// Resident memory, reading by reading, in KiB.
    resident: Vec<u64>,
    /// The most that its log and snapshot took on the disk, in bytes.
    pub(super) disk: f64,
}

impl Usage {
    /// Adds a reading.
    pub(super) fn seen(&mut self, kib: u64, disk: Option<f64>) {
        self.resident.push(kib);
        self.disk = disk.map_or(self.disk, |bytes| self.disk.max(bytes));
    }

    /// The most that was resident, in KiB.
    pub(super) fn most(&self) -> u64 {
        self.resident.iter().max().copied().unwrap_or_default()
    }

    /// How many times the mean of the second quarter was resident in the last one: 1 where memory is flat. The first quarter
    /// is not asked: what is used once is allocated then.
    pub(super) fn growth(&self) -> f64 {
        let quarter = self.resident.len() / 4;
        let mean = |from: usize, to: usize| {
            let some = self.resident.get(from..to).unwrap_or_default();
            some.iter().sum::<u64>() as f64 / some.len() as f64
        };
        mean(3 * quarter, self.resident.len()) / mean(quarter, 2 * quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_between_the_second_and_the_last_quarter() {
        let mut usage = Usage::default();
        for kib in [1, 1, 10, 10, 99, 99, 15, 15] {
            usage.seen(kib, None);
        }
        usage.seen(15, Some(7.0));
        usage.seen(15, Some(6.0));
        assert_eq!((usage.most(), usage.disk), (99, 7.0));
        assert!((usage.growth() - 1.5).abs() < 1e-9, "{}", usage.growth());
        assert!(Usage::default().growth().is_nan());
    }
}
