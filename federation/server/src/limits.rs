//! How much of a server one cluster may take.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use federation_model::ClusterId;
use prometheus_client::metrics::gauge::Gauge;

/// Most streams of one kind of one cluster at one server: the one in use, and those of connections that broke and were
/// not noticed yet.
const MAX_STREAMS: usize = 8;

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
#[derive(Debug, Clone, Default)]
pub struct Streams {
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
    /// Opens one more, unless the cluster has its fill. `gauge` counts it over all clusters.
    pub fn open(&self, cluster: &ClusterId, kind: Kind, gauge: Option<&Gauge>) -> Option<Slot> {
        let key = (cluster.clone(), kind);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key.clone()).or_default();
        if *count >= MAX_STREAMS {
            return None;
        }
        *count += 1;
        drop(open);
        let gauge = gauge.cloned();
        if let Some(gauge) = &gauge {
            gauge.inc();
        }
        Some(Slot { key, streams: self.clone(), gauge })
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
        let (streams, gauge) = (Streams::default(), Gauge::default());
        let (east, west) = ("east".parse().unwrap(), "west".parse().unwrap());
        let mut held: Vec<Slot> = Vec::new();
        while let Some(slot) = streams.open(&east, Kind::Watch, Some(&gauge)) {
            held.push(slot);
        }
        assert_eq!((held.len(), gauge.get()), (MAX_STREAMS, 8));
        assert!(streams.open(&east, Kind::Report, None).is_some());
        assert!(streams.open(&west, Kind::Watch, None).is_some());
        held.pop();
        assert!(streams.open(&east, Kind::Watch, None).is_some());
        drop(held);
        assert_eq!((streams.open.lock().unwrap().len(), gauge.get()), (0, 0));
    }
}
