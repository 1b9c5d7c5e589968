//! Counters of the xDS server. Their labels are closed sets.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::session::Verdict;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label's values, which are lower case")]
enum Word {
    accepted,
    rejected,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    r#type: &'static str,
    verdict: Word,
}

/// Counters of one server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct XdsMetrics {
    verdicts: Family<Labels, Counter>,
}

impl XdsMetrics {
    /// Makes the counters and registers them under `isthmus_xds_`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let help = "Responses that proxies accepted or rejected, by type";
        registry.register("isthmus_xds_verdicts", help, metrics.verdicts.clone());
        metrics
    }

    /// Counts a verdict.
    pub(super) fn judged(&self, verdict: &Verdict) {
        let (kind, verdict) = match verdict {
            Verdict::Accepted { kind, .. } => (kind, Word::accepted),
            Verdict::Rejected { kind, .. } => (kind, Word::rejected),
        };
        self.verdicts.get_or_create(&Labels { r#type: kind.short(), verdict }).inc();
    }
}
