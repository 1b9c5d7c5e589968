//! What the source publishes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use agent_plan::SourceState;
use agent_plan::mcs::Observed;
use federation_model::Gateway;
use tokio::sync::watch;

/// The three feeds. Each holds the latest value; each value is whole and shares with the one before what did not change.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// The cluster's own objects, as far as they are exported.
    pub state: watch::Receiver<Arc<SourceState>>,
    /// What the API server holds of what the controller writes.
    pub observed: watch::Receiver<Arc<Observed>>,
    /// Where the gateways are.
    pub gateways: watch::Receiver<Arc<LocalGateways>>,
}

/// This cluster's gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalGateways {
    /// Addresses of those that are ready, for this cluster's own pods.
    pub ready: BTreeSet<IpAddr>,
    /// What other clusters dial, by the type of the gateways' Service; at most 64.
    pub external: Vec<Gateway>,
    /// Why `external` is empty, where it should not be.
    pub problem: Option<String>,
}

/// The sending ends.
#[derive(Debug)]
pub(super) struct FeedSenders {
    pub(super) state: watch::Sender<Arc<SourceState>>,
    pub(super) observed: watch::Sender<Arc<Observed>>,
    pub(super) gateways: watch::Sender<Arc<LocalGateways>>,
}

impl FeedSenders {
    pub(super) fn new() -> (Self, Feeds) {
        let (state, state_seen) = watch::channel(Arc::default());
        let (observed, observed_seen) = watch::channel(Arc::default());
        let (gateways, gateways_seen) = watch::channel(Arc::default());
        let feeds = Feeds { state: state_seen, observed: observed_seen, gateways: gateways_seen };
        (Self { state, observed, gateways }, feeds)
    }
}
