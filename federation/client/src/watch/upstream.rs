//! How the watch is doing.

use federation_model::{Revision, UnixMillis};
use tokio::time::Instant;

/// The state of the watch. Age is `heard` until now: the view may be old, and how old is always known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The server talked to; absent while there is none.
    pub server: Option<String>,
    /// Why there is none.
    pub problem: Option<String>,
    /// The revision up to which the published view is complete.
    pub revision: Revision,
    /// When a server last said so; absent before the first time in this process.
    pub heard: Option<Instant>,
    /// The leader's clock at that moment; zero before the first time.
    pub leader_time: UnixMillis,
}

impl Upstream {
    /// Whether a server is talked to.
    pub fn is_connected(&self) -> bool {
        self.server.is_some()
    }
}
