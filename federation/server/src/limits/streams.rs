//! Open streams by cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use federation_model::ClusterId;
use prometheus_client::metrics::gauge::Gauge;

use super::{Exceeded, Quota};

/// The kinds of streams that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `Publish`.
    Publish,
    /// `Watch`.
    Watch,
    /// `Report`.
    Report,
}

/// Open streams by cluster and kind.
#[derive(Debug, Clone)]
pub struct Streams {
    /// Most of one kind of one cluster.
    limit: usize,
    open: Arc<Mutex<BTreeMap<(ClusterId, Kind), usize>>>,
}

/// One open stream; dropping it closes the account.
#[derive(Debug)]
pub struct Slot {
    key: (ClusterId, Kind),
    streams: Streams,
    gauge: Option<Gauge>,
}

impl Streams {
    /// None open, and at most `limit` of one kind of one cluster.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, open: Arc::default() }
    }

    /// Opens one more, unless the cluster has its fill. `gauge` counts it over all clusters.
    ///
    /// # Errors
    /// When the cluster has as many as it may have; that many are open.
    pub fn open(&self, cluster: &ClusterId, kind: Kind, gauge: Option<&Gauge>) -> Result<Slot, Exceeded> {
        let key = (cluster.clone(), kind);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.clone()).or_default();
        if *count >= self.limit {
            return Err(Exceeded::of(Quota::Streams, self.limit, *count));
        }
        *count += 1;
        drop(open);
        let gauge = gauge.cloned();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        Ok(Slot { key, streams: self.clone(), gauge })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(gauge) = &self.gauge {
            gauge.dec();
        }
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        let left = open.get_mut(&self.key).map_or(0, |count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == 0 {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_its_own_bound_per_kind() {
        let (streams, gauge) = (Streams::new(3), Gauge::default());
        let (east, west) = ("east".parse().unwrap(), "west".parse().unwrap());
        let mut held: Vec<Slot> = Vec::new();
        while let Ok(slot) = streams.open(&east, Kind::Watch, Some(&gauge)) {
            held.push(slot);
        }
        assert_eq!((held.len(), gauge.get()), (3, 3));
        let exceeded = streams.open(&east, Kind::Watch, None).unwrap_err();
        assert_eq!(exceeded, Exceeded::of(Quota::Streams, 3, 3));
        assert!(streams.open(&east, Kind::Report, None).is_ok());
        assert!(streams.open(&west, Kind::Watch, None).is_ok());
        held.pop();
        assert!(streams.open(&east, Kind::Watch, None).is_ok());
        drop(held);
        assert_eq!((streams.open.lock().unwrap().len(), gauge.get()), (0, 0));
    }
}
